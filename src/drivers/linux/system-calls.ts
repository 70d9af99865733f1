/**
 * System calls that Node does not offer, through koffi: netlink, raw and packet sockets, namespaces, TUN. The only importer of
 * koffi. A call blocks its thread as in C (and costs about 0.5 µs more); readiness comes from Node's own event loop
 * (`watchReadable`), so nothing here needs a thread.
 *
 * A call that fails throws a TrimaranError whose code is the errno's name; "nothing there now" (EAGAIN) is a value, not an error.
 * Constants are those that x86_64 and arm64 Linux share.
 */
import { getSystemErrorMap } from 'node:util';
import koffi from 'koffi';
import { TrimaranError } from '../../base/trimaran-error.ts';

export const AF_INET = 2;
export const AF_INET6 = 10;
export const AF_NETLINK = 16;
export const SOCK_STREAM = 1;
export const SOCK_DGRAM = 2;
export const SOCK_RAW = 3;
export const SOCK_CLOEXEC = 0o2000000;
export const SOCK_NONBLOCK = 0o4000;
export const SOL_SOCKET = 1;
export const CLONE_NEWNET = 0x40000000;

/** Octets, or an address inside `NativeMemory`. */
export type Pointer = Uint8Array | bigint;

type Argument = Pointer | number | string | null;
type SystemCall<Result = number> = (...args: readonly Argument[]) => Result;

const libc = koffi.load(null);

/** What another system than Linux lacks is missed when it is called: not all that imports this needs it. */
function declare<Result = number>(definition: string): SystemCall<Result> {
  try {
    return libc.func(definition) as SystemCall<Result>;
  } catch (cause) {
    return () => {
      throw new TrimaranError('ENOSYS', `this system does not have ${definition}`, { cause });
    };
  }
}

const calls = {
  socket: declare('int socket(int domain, int type, int protocol)'),
  close: declare('int close(int fd)'),
  bind: declare('int bind(int fd, const void *address, uint32_t length)'),
  listen: declare('int listen(int fd, int backlog)'),
  accept: declare('int accept4(int fd, void *address, void *length, int flags)'),
  connect: declare('int connect(int fd, const void *address, uint32_t length)'),
  setsockopt: declare('int setsockopt(int fd, int level, int name, const void *value, uint32_t length)'),
  getsockopt: declare('int getsockopt(int fd, int level, int name, void *value, void *length)'),
  sendto: declare(
    'long sendto(int fd, const void *data, size_t length, int flags, const void *to, uint32_t toLength)',
  ),
  recv: declare('long recv(int fd, void *data, size_t length, int flags)'),
  sendmmsg: declare('int sendmmsg(int fd, void *headers, uint32_t count, int flags)'),
  recvmmsg: declare('int recvmmsg(int fd, void *headers, uint32_t count, int flags, void *timeout)'),
  read: declare('long read(int fd, void *data, size_t length)'),
  writev: declare('long writev(int fd, const void *vectors, int count)'),
  ioctl: declare('int ioctl(int fd, unsigned long request, void *argument)'),
  ppoll: declare('int ppoll(void *polls, unsigned long count, const void *timeout, const void *signals)'),
  eventfd: declare('int eventfd(uint32_t initial, int flags)'),
  eventfd_write: declare('int eventfd_write(int fd, uint64_t value)'),
  prctl: declare('int prctl(int option, unsigned long value)'),
  setns: declare('int setns(int fd, int type)'),
  unshare: declare('int unshare(int flags)'),
};
const mmap = declare<bigint>(
  'void *mmap(void *at, size_t length, int protection, int flags, int fd, long offset)',
);

/** Opens a socket in the network namespace of the calling thread; close-on-exec. */
export function openSocket(domain: number, type: number, protocol: number): number {
  return checked('socket', calls.socket(domain, type | SOCK_CLOEXEC, protocol));
}

export function closeDescriptor(fd: number): void {
  checked('close', calls.close(fd));
}

export function bindSocket(fd: number, address: Uint8Array): void {
  checked('bind', calls.bind(fd, address, address.length));
}

export function listenSocket(fd: number): void {
  checked('listen', calls.listen(fd, 128));
}

export function acceptConnection(fd: number): number {
  return checked('accept4', calls.accept(fd, null, null, SOCK_CLOEXEC));
}

export function connectSocket(fd: number, address: Uint8Array): void {
  checked('connect', calls.connect(fd, address, address.length));
}

/** A number is passed as a 32-bit int. */
export function setSocketOption(fd: number, level: number, name: number, value: number | Uint8Array): void {
  const octets = typeof value === 'number' ? new Uint8Array(Int32Array.of(value).buffer) : value;
  checked('setsockopt', calls.setsockopt(fd, level, name, octets, octets.length));
}

/** At most `capacity` octets of the option's value, as many as the kernel has. */
export function getSocketOption(fd: number, level: number, name: number, capacity: number): Uint8Array {
  const value = new Uint8Array(capacity);
  const length = new Uint32Array([capacity]);
  checked('getsockopt', calls.getsockopt(fd, level, name, value, new Uint8Array(length.buffer)));
  return value.subarray(0, length[0]);
}

/** Sends one message; to the connected peer when `to` is absent. */
export function send(fd: number, data: Uint8Array, to?: Uint8Array): void {
  checked('sendto', calls.sendto(fd, data, data.length, 0, to ?? null, to?.length ?? 0));
}

/** Length of the message received into `buffer`; undefined when a non-blocking socket (or a timed-out one) has none. */
export function receive(fd: number, buffer: Uint8Array): number | undefined {
  return available('recv', calls.recv(fd, buffer, buffer.length, 0));
}

/** How many of the `count` messages, described by struct mmsghdr at `headers`, were sent; undefined when the queue is full. */
export function sendMessages(fd: number, headers: Pointer, count: number, flags = 0): number | undefined {
  return available('sendmmsg', calls.sendmmsg(fd, headers, count, flags));
}

/** How many messages were received into the struct mmsghdr at `headers`; undefined when there was none. */
export function receiveMessages(fd: number, headers: Pointer, count: number, flags = 0): number | undefined {
  return available('recvmmsg', calls.recvmmsg(fd, headers, count, flags, null));
}

/** Length of what a non-blocking descriptor had to read; undefined when there was nothing. */
export function readDescriptor(fd: number, data: Pointer, length: number): number | undefined {
  return available('read', calls.read(fd, data, length));
}

/** Writes what the `count` struct iovec at `vectors` hold as one; false when a non-blocking descriptor has no room. */
export function writeVectors(fd: number, vectors: Pointer, count: number): boolean {
  return available('writev', calls.writev(fd, vectors, count)) !== undefined;
}

export function controlDevice(fd: number, request: number, argument: Pointer): void {
  checked('ioctl', calls.ioctl(fd, request, argument));
}

/** Sleeps until one of the `count` struct pollfd at `polls` is ready or the struct timespec at `timeout` has passed. */
export function waitReadable(polls: Pointer, count: number, timeout: Pointer): void {
  available('ppoll', calls.ppoll(polls, count, timeout, null));
}

/** A descriptor that turns readable when somebody raises it, in whichever thread. */
export function openEvent(): number {
  return checked('eventfd', calls.eventfd(0, SOCK_CLOEXEC | SOCK_NONBLOCK));
}

export function raiseEvent(fd: number): void {
  checked('eventfd_write', calls.eventfd_write(fd, 1));
}

/** Lets the calling thread's timeouts end to the nanosecond; by default the kernel gathers them within 50 µs. */
export function useExactTimeouts(): void {
  checked('prctl', calls.prctl(PR_SET_TIMERSLACK, 1));
}

/** Moves the calling thread into the namespace that `fd` holds. Threads that exist already stay where they are. */
export function enterNamespace(fd: number, type: number): void {
  checked('setns', calls.setns(fd, type));
}

/** Moves the calling thread into new namespaces of the given kinds. */
export function newNamespace(flags: number): void {
  checked('unshare', calls.unshare(flags));
}

/** Memory that the kernel may be told the address of: it never moves and is never freed before the process ends. */
export interface NativeMemory {
  readonly address: bigint;
  readonly octets: Uint8Array;
  readonly view: DataView;
}

export function allocateMemory(length: number): NativeMemory {
  // Without reservation: what is never touched costs nothing, even where memory is short.
  const [readWrite, privateAnonymousNoReserve] = [3, 0x4022];
  const address = mmap(null, length, readWrite, privateAnonymousNoReserve, -1, 0);
  if (address === 0xffff_ffff_ffff_ffffn) checked('mmap', -1);
  const buffer = koffi.view(address, length);
  return { address, octets: new Uint8Array(buffer), view: new DataView(buffer) };
}

/**
 * Calls `onReadable` from the event loop whenever the descriptor has something to read (level-triggered). Keeps the process alive only
 * if asked to. The returned function ends it and must be called before the descriptor is closed.
 */
export function watchReadable(
  fd: number,
  onReadable: () => void,
  options: { readonly keepsAlive: boolean } = { keepsAlive: false },
): () => void {
  const handle = koffi.node.poll(fd, { readable: true }, () => callFromEventLoop(onReadable));
  if (!options.keepsAlive) handle.unref();
  watched.add(handle);
  return () => {
    watched.delete(handle);
    handle.close();
  };
}

/** koffi loses what is thrown: Node hears of it by way of an immediate. */
function callFromEventLoop(callback: () => void): void {
  try {
    callback();
  } catch (error) {
    setImmediate(() => {
      throw error;
    });
  }
}

const watched = new Set<{ close(): void }>();
// koffi aborts the process when a descriptor turns readable while Node tears its event loop down.
process.on('exit', () => {
  for (const handle of watched) handle.close();
});

/** The error of a system call that failed with `errno`. */
export function systemError(call: string, errno: number): TrimaranError {
  const [name, text] = getSystemErrorMap().get(-errno) ?? [`errno ${errno}`, 'unknown error'];
  const remedy = name === 'EPERM' || name === 'EACCES' ? remedyForRights : '';
  return new TrimaranError(name, `${call}: ${text} (${name})`, { remedy });
}

const remedyForRights = 'Run as root, or inside a user and network namespace (unshare -Urn).';
const PR_SET_TIMERSLACK = 29;
const EAGAIN = 11;
const EINTR = 4;

function checked(call: string, result: number): number {
  if (result < 0) throw systemError(call, koffi.errno());
  return result;
}

function available(call: string, result: number): number | undefined {
  if (result >= 0) return result;
  const errno = koffi.errno();
  if (errno === EAGAIN || errno === EINTR) return undefined;
  throw systemError(call, errno);
}
