/**
 * A network namespace held by a descriptor (the boxes of TRIM fig. 7 in the kernel lab). Nobody names it in /run/netns, so it is gone
 * with the last process that holds it, however that ends. A namespace belongs to a thread: the calls here move the calling one only.
 */
import { closeSync, openSync } from 'node:fs';
import { CLONE_NEWNET, enterNamespace, newNamespace } from './system-calls.ts';

export class NetworkNamespace {
  readonly fd: number;
  /** Where other processes in the same process namespace can open it, for `nsenter --net=…`, as long as this process lives. */
  readonly path: string;

  private constructor(fd: number) {
    this.fd = fd;
    this.path = `/proc/${process.pid}/fd/${fd}`;
  }

  /** The namespace that the calling thread is in. */
  static current(): NetworkNamespace {
    return NetworkNamespace.open('/proc/thread-self/ns/net');
  }

  static open(path: string): NetworkNamespace {
    return new NetworkNamespace(openSync(path, 'r'));
  }

  /** A new namespace with nothing but a loopback interface that is down. Throws EPERM without CAP_SYS_ADMIN. */
  static create(): NetworkNamespace {
    const home = NetworkNamespace.current();
    try {
      newNamespace(CLONE_NEWNET);
      return NetworkNamespace.current();
    } finally {
      home.enter();
      home.close();
    }
  }

  /** Moves the calling thread here: sockets that it opens and processes that it starts from now on belong here. */
  enter(): void {
    enterNamespace(this.fd, CLONE_NEWNET);
  }

  /** Does `work` here and goes back. It must be synchronous: whatever awaits would go on in the other namespace. */
  run<Result>(work: () => Result): Result {
    const home = NetworkNamespace.current();
    this.enter();
    try {
      return work();
    } finally {
      home.enter();
      home.close();
    }
  }

  /** Gives up the descriptor; the namespace lives on while a process, a socket or another descriptor holds it. */
  close(): void {
    closeSync(this.fd);
  }
}
