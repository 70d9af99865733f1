/** Whether this process is root in a user namespace only, where there is nobody else to become. */
import { readFileSync } from 'node:fs';

export function isInUserNamespace(): boolean {
  return !readFileSync('/proc/self/uid_map', 'utf8').includes('4294967295');
}
