/** AES with a key of 128 bits on one block (FIPS 197): the kernel of MILENAGE. No mode of operation, so not for messages. */
import { createCipheriv } from 'node:crypto';

/** `key` and `block` are 16 octets each, and so is the result. */
export function encryptAes128Block(key: Uint8Array, block: Uint8Array): Uint8Array {
  const cipher = createCipheriv('aes-128-ecb', key, null).setAutoPadding(false);
  return new Uint8Array(cipher.update(block));
}
