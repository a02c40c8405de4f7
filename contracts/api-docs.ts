import { Type } from 'typebox';

export const getDocs = {
  method: 'GET',
  url: '/api/docs',
  schema: {
    summary: 'This description, for people',
    tags: ['description'],
    response: {
      200: { description: 'A page', content: { 'text/html': { schema: Type.String() } } },
    },
  },
} as const;
