/**
 * How many things a machine holds: the size of every map, set and list that it reaches, with private fields, by way of the debugger of this very
 * process (node:inspector), which answers at once. So nothing has to be counted by the machine itself, and no collection is forgotten.
 */
import { type Runtime, Session } from 'node:inspector';

interface Field {
  readonly name: string;
  readonly value: Runtime.RemoteObject;
}

/** What one object has to do with the walk, told to the functions below by the debugger. */
const walk = globalThis as unknown as { heldRoot: object; heldSeen: WeakSet<object> };

/** The size of each collection by its path, such as "#agent.#legs"; those of the same path are added up. Empty ones are left out. */
export function heldState(root: object, start: readonly string[] = []): ReadonlyMap<string, number> {
  const session = new Session();
  session.connect();
  walk.heldRoot = root;
  walk.heldSeen = new WeakSet();
  try {
    let from = ask(session, 'Runtime.evaluate', { expression: 'heldRoot' }).result;
    for (const name of start) from = fieldsOf(session, from).find((field) => field.name === name)!.value;
    const sizes = new Map<string, number>();
    visit(session, from, '', sizes);
    return sizes;
  } finally {
    session.disconnect();
  }
}

function visit(session: Session, at: Runtime.RemoteObject, path: string, sizes: Map<string, number>): void {
  if (at.type !== 'object' || at.objectId === undefined || isSeen(session, at.objectId)) return;
  const { subtype = 'object' } = at;
  // Weak ones hold nothing by themselves.
  if (/^(?:typedarray|arraybuffer|weakmap|weakset)$/.test(subtype)) return;
  const size = Number(/^(?:Map|Set|Array)\((\d+)\)$/.exec(at.description ?? '')?.[1] ?? 0);
  if (size > 0) sizes.set(path, (sizes.get(path) ?? 0) + size);
  for (const field of fieldsOf(session, at)) {
    if (field.name === '[[Entries]]')
      for (const entry of fieldsOf(session, field.value)) visitEntry(session, entry, path, sizes);
    else if (subtype === 'array') visit(session, field.value, path, sizes);
    else visit(session, field.value, path === '' ? field.name : `${path}.${field.name}`, sizes);
  }
}

function visitEntry(
  session: Session,
  { value: entry }: Field,
  path: string,
  sizes: Map<string, number>,
): void {
  if (entry.type === 'object')
    for (const { value } of fieldsOf(session, entry)) visit(session, value, path, sizes);
}

/** Own fields, private ones, and the entries of a map or set. */
function fieldsOf(session: Session, { objectId }: Runtime.RemoteObject): Field[] {
  if (objectId === undefined) return [];
  const answer = ask(session, 'Runtime.getProperties', { objectId, ownProperties: true });
  // The type definitions do not know these.
  const { privateProperties = [] } = answer as { privateProperties?: Field[] };
  const entries = (answer.internalProperties ?? []).filter(({ name }) => name === '[[Entries]]');
  return [...privateProperties, ...answer.result, ...entries].flatMap(({ name, value }) =>
    value === undefined || name === '__proto__' ? [] : [{ name, value }],
  );
}

function isSeen(session: Session, objectId: string): boolean {
  const functionDeclaration =
    'function () { const seen = heldSeen.has(this); heldSeen.add(this); return seen; }';
  return ask(session, 'Runtime.callFunctionOn', { objectId, functionDeclaration }).result.value === true;
}

function ask<Method extends 'Runtime.evaluate' | 'Runtime.getProperties' | 'Runtime.callFunctionOn'>(
  session: Session,
  method: Method,
  parameters: object,
): Method extends 'Runtime.getProperties' ? Runtime.GetPropertiesReturnType : Runtime.EvaluateReturnType {
  let answer: unknown;
  session.post(method, parameters, (error, result) => {
    if (error !== null) throw new Error(`${method}: ${error.message}`);
    answer = result;
  });
  return answer as ReturnType<typeof ask<Method>>;
}
