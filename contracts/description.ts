import { Type } from 'typebox';

export const getOpenApi = {
  method: 'GET',
  url: '/api/openapi.json',
  schema: {
    summary: 'This description, for programs (OpenAPI 3.1)',
    response: { 200: Type.Object({ openapi: Type.String() }, { additionalProperties: true }) },
  },
} as const;

/** The parts of an OpenAPI 3.1 document that the API page and the tests read. */
export interface OpenApi {
  info: { title: string; version: string; description: string };
  /** In the order in which they are shown; others follow. */
  tags: { name: string }[];
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, Schema> };
}

export interface Operation {
  operationId: string;
  tags: string[];
  summary?: string;
  description?: string;
  parameters?: Parameter[];
  requestBody?: { content: Content };
  responses: Record<string, { description: string; content?: Content }>;
  security?: object[];
}

/** By media type. */
export type Content = Record<string, { schema: Schema }>;

export interface Parameter {
  name: string;
  in: 'path' | 'query' | 'header';
  required?: boolean;
  description?: string;
  schema: Schema;
}

export interface Schema {
  $ref?: string;
  type?: string | string[];
  description?: string;
  format?: string;
  properties?: Record<string, Schema>;
  required?: string[];
  items?: Schema;
  minItems?: number;
  anyOf?: Schema[];
  allOf?: Schema[];
  enum?: unknown[];
  const?: unknown;
  default?: unknown;
  examples?: unknown[];
  additionalProperties?: boolean | Schema;
  patternProperties?: Record<string, Schema>;
  minimum?: number;
  maximum?: number;
  minLength?: number;
  maxLength?: number;
  pattern?: string;
}
