/**
 * YOURS. What API keys begin with, so that people and secret scanners know where a key belongs: 2 to 16 lower-case letters. Keys
 * that were made before a change are refused from then on.
 */
export const keyPrefix = 'flt';
