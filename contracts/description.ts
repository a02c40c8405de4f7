import { Type } from 'typebox';

export const getOpenApi = {
  method: 'GET',
  url: '/api/openapi.json',
  schema: {
    summary: 'This description, for programs (OpenAPI 3.1)',
    response: { 200: Type.Object({ openapi: Type.String() }, { additionalProperties: true }) },
  },
} as const;

export const getDocs = {
  method: 'GET',
  url: '/api/docs',
  schema: {
    summary: 'This description, for people',
    response: {
      200: { description: 'A page', content: { 'text/html': { schema: Type.String() } } },
    },
  },
} as const;
