/** A value of a configuration file that stands in another file: a secret, or a module of the user's own. */
export abstract class FileReference {
  /** Reads what it refers to; `folder` is that of the configuration file. Throws an Error whose message is shown at the value's place. */
  abstract read(folder: string): void;
}
