/**
 * A policy of the user's own in place of the paper's (MIP–SIP §3): a JavaScript module beside the configuration file that exports
 * `createSelector(context)`, which gives an AccessSelector (mobile-node/access-selection/access-selector.ts).
 */
import { createRequire } from 'node:module';
import { resolve } from 'node:path';
import type { AccessSelector } from '../../mobile-node/access-selection/access-selector.ts';
import { FileReference } from './file-reference.ts';

/** What a module is told of the node it decides for. */
export interface PolicyContext {
  /** In the order of the configuration, with whatever numbers stand there. */
  readonly accesses: readonly {
    readonly name: string;
    readonly power?: number | undefined;
    readonly cost?: number | undefined;
    readonly coverage?: string | undefined;
  }[];
  /** `policy.options`, as written. */
  readonly options: Readonly<Record<string, unknown>>;
}

export class PolicyModule extends FileReference {
  readonly #path: string;
  #create: ((context: PolicyContext) => AccessSelector) | undefined;

  constructor(path: string) {
    super();
    this.#path = path;
  }

  override read(folder: string): void {
    const file = resolve(folder, this.#path);
    const exported: Record<string, unknown> = createRequire(import.meta.url)(file);
    const create = exported['createSelector'];
    if (typeof create !== 'function') throw new Error(`${this.#path} exports no function createSelector`);
    this.#create = create as (context: PolicyContext) => AccessSelector;
  }

  /** Throws what the module throws. */
  createSelector(context: PolicyContext): AccessSelector {
    if (this.#create === undefined) throw new Error('the module was not read yet');
    const selector = this.#create(context);
    if (typeof selector?.decide !== 'function')
      throw new Error(`createSelector of ${this.#path} gives nothing that decides`);
    return selector;
  }
}
