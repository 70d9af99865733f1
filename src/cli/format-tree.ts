/** Nested values as indented lines for people: "name: value", and a dash before each element of a list. */
export function formatTree(value: unknown, indent = ''): string {
  if (Array.isArray(value)) return value.map((item) => formatItem(item, indent)).join('');
  if (typeof value !== 'object' || value === null) return `${indent}${value ?? 'none'}\n`;
  return Object.entries(value)
    .map(([name, inner]) => formatField(name, inner, indent))
    .join('');
}

function formatField(name: string, value: unknown, indent: string): string {
  const isNested = typeof value === 'object' && value !== null && Object.keys(value).length > 0;
  if (isNested) return `${indent}${name}:\n${formatTree(value, `${indent}  `)}`;
  return `${indent}${name}: ${typeof value === 'object' ? 'none' : String(value ?? 'none')}\n`;
}

function formatItem(value: unknown, indent: string): string {
  return `${indent}- ${formatTree(value, `${indent}  `).trimStart()}`;
}
