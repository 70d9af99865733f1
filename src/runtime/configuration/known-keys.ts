/** Which keys a schema knows at a place: what an unknown key there was probably meant to be. */
import { z } from 'zod';

export function knownKeys(schema: z.core.$ZodType, path: readonly PropertyKey[]): string[] {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodNullable)
    return knownKeys(schema.unwrap(), path);
  if (schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault)
    return knownKeys(schema.unwrap(), path);
  if (schema instanceof z.ZodPipe)
    return knownKeys(schema.in instanceof z.ZodTransform ? schema.out : schema.in, path);
  if (schema instanceof z.ZodUnion) return schema.options.flatMap((option) => knownKeys(option, path));
  const [key, ...rest] = path;
  if (schema instanceof z.ZodArray) return key === undefined ? [] : knownKeys(schema.element, rest);
  if (schema instanceof z.ZodRecord) return key === undefined ? [] : knownKeys(schema.valueType, rest);
  if (!(schema instanceof z.ZodObject)) return [];
  if (key === undefined) return Object.keys(schema.shape);
  const inner = schema.shape[String(key)];
  return inner === undefined ? [] : knownKeys(inner, rest);
}
