/** Cuts a byte stream of JSON lines into lines; a line is never longer than `maximumLineOctets`. */
import { StringDecoder } from 'node:string_decoder';

/** A status with some hundred sessions is far below; more comes only from somebody who does not speak the protocol. */
const maximumLineOctets = 1_048_576;

export class LineReader {
  readonly #decoder = new StringDecoder('utf8');
  readonly #onLine: (line: string) => void;
  #rest = '';

  constructor(onLine: (line: string) => void) {
    this.#onLine = onLine;
  }

  /** False when a line is too long: the stream is of no more use. */
  push(chunk: Buffer): boolean {
    const lines = (this.#rest + this.#decoder.write(chunk)).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) if (line.trim() !== '') this.#onLine(line);
    return this.#rest.length <= maximumLineOctets;
  }
}
