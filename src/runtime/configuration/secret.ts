/**
 * A password or key from a configuration file. It cannot be printed by accident: text and JSON show "(secret)", inspection shows
 * nothing (the field is private); only `reveal` gives it. Written inline, or better as `{ file: PATH }`, relative to the configuration file.
 */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { FileReference } from './file-reference.ts';

export type SecretSource = string | { readonly file: string };

/** What a secret must look like, and how to say so without showing it. */
export interface SecretForm {
  readonly pattern: RegExp;
  readonly rule: string;
}

export class Secret extends FileReference {
  #value: string | undefined;
  readonly #file: string | undefined;
  readonly #form: SecretForm | undefined;

  constructor(source: SecretSource, form?: SecretForm) {
    super();
    if (typeof source === 'string') this.#value = source;
    else this.#file = source.file;
    this.#form = form;
  }

  /**
   * Reads the file that the secret refers to; a newline at its end does not count. Throws as `readFileSync` does, and when the secret
   * has not the form it must have.
   */
  override read(folder: string): void {
    if (this.#file !== undefined)
      this.#value = readFileSync(resolve(folder, this.#file), 'utf8').replace(/\r?\n$/, '');
    if (this.#form !== undefined && !this.#form.pattern.test(this.reveal())) throw new Error(this.#form.rule);
  }

  reveal(): string {
    if (this.#value === undefined) throw new Error('the secret was not read yet');
    return this.#value;
  }

  override toString(): string {
    return '(secret)';
  }

  toJSON(): string {
    return '(secret)';
  }
}
