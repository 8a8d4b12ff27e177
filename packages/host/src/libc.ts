import koffi from 'koffi';
import { HostError } from './host-error.ts';

const library = koffi.load('libc.so.6');

/** A call whose integers and addresses are numbers: addresses of user space are below 2^47. */
type Call = (...values: (number | string)[]) => number;
type AsyncCall = (values: number[], done: (result: number) => void) => void;

function declare(prototype: string): Call {
  return library.func(prototype) as unknown as Call;
}

const epollWait = library.func('int epoll_wait(int fd, int64_t events, int room, int timeout)');

/** The C library. Every call answers what C answers: -1 is a failure, and `errno()` then says which. */
export const libc = {
  mmap: declare('int64_t mmap(int64_t at, size_t bytes, int protection, int flags, int fd, int64_t offset)'),
  munmap: declare('int munmap(int64_t at, size_t bytes)'),
  madvise: declare('int madvise(int64_t at, size_t bytes, int advice)'),
  memfdCreate: declare('int memfd_create(const char *name, unsigned int flags)'),
  ftruncate: declare('int ftruncate(int fd, int64_t bytes)'),
  fcntl: declare('int fcntl(int fd, int command, int64_t argument)'),
  open: declare('int open(const char *path, int flags, int mode)'),
  close: declare('int close(int fd)'),
  read: declare('int64_t read(int fd, int64_t at, size_t bytes)'),
  write: declare('int64_t write(int fd, int64_t at, size_t bytes)'),
  ioctl: declare('int ioctl(int fd, unsigned long request, int64_t argument)'),
  pipe2: declare('int pipe2(int64_t pair, int flags)'),
  eventfd: declare('int eventfd(unsigned int initial, int flags)'),
  epollCreate: declare('int epoll_create1(int flags)'),
  epollCtl: declare('int epoll_ctl(int epoll, int operation, int fd, int64_t event)'),
  epollWait: epollWait as unknown as Call,
  socket: declare('int socket(int domain, int type, int protocol)'),
  socketpair: declare('int socketpair(int domain, int type, int protocol, int64_t pair)'),
  bind: declare('int bind(int fd, int64_t address, unsigned int bytes)'),
  listen: declare('int listen(int fd, int backlog)'),
  accept: declare('int accept4(int fd, int64_t address, int64_t bytes, int flags)'),
  connect: declare('int connect(int fd, int64_t address, unsigned int bytes)'),
  getsockopt: declare('int getsockopt(int fd, int level, int option, int64_t value, int64_t bytes)'),
  sendmsg: declare('int64_t sendmsg(int fd, int64_t message, int flags)'),
  recvmsg: declare('int64_t recvmsg(int fd, int64_t message, int flags)'),
  schedSetaffinity: declare('int sched_setaffinity(int thread, size_t bytes, int64_t mask)'),
  syscall: declare('long syscall(long number, long a, long b, long c)'),
  getpid: declare('int getpid(void)'),
} as const;

/** `epoll_wait` on a thread of the pool: the event loop goes on. */
export const epollWaitAsync: AsyncCall = (values, done) => {
  const call = (epollWait as unknown as { async: (...args: unknown[]) => void }).async;
  call(...values, (error: Error | null, result: number) => done(error === null ? result : -1));
};

/** The errno of the last call of this thread. */
export function errno(): number {
  return koffi.errno();
}

/** Passes a result on; throws a HostError when it is -1. */
export function checked(result: number, call: string, what = ''): number {
  if (result === -1) throw new HostError(call, errno(), what);
  return result;
}

/** All memory from `address` (a number) on as an ArrayBuffer. No copy; the mapping must outlive every use. */
export function viewMemory(address: number, bytes: number): ArrayBuffer {
  return koffi.view(BigInt(address), bytes) as ArrayBuffer;
}
