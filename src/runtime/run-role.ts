/**
 * The life of a role's process: configuration, start, work until somebody ends it (SIGINT, SIGTERM, or the parent that started it
 * with a channel is gone), goodbye, everything taken away again. SIGHUP makes a role that can do so read its configuration again; a
 * file with mistakes changes nothing.
 */
import { TrimaranError } from '../base/trimaran-error.ts';
import { loadConfiguration } from './configuration/load-configuration.ts';
import { ControlServer } from './control-server.ts';
import type { Role, RunningRole } from './role.ts';
import { RoleHost, type RoleSink } from './role-host.ts';

/** Ends when the role was told to end and has. Throws what keeps it from starting. */
export async function runRole<Configuration>(
  role: Role<Configuration>,
  configurationFile: string,
  sink: RoleSink,
): Promise<void> {
  const configuration = loadConfiguration(configurationFile, role.schema);
  const end = watchForEnd();
  const host = new RoleHost(sink);
  let running: RunningRole<Configuration> | undefined;
  const reload = (): void => {
    try {
      running?.reload?.(loadConfiguration(configurationFile, role.schema));
      host.report(role.name, { kind: 'configuration-reloaded' });
    } catch (error) {
      if (!(error instanceof TrimaranError)) throw error;
      host.report(role.name, { kind: 'configuration-refused', reason: error.message });
    }
  };
  let control: ControlServer | undefined;
  try {
    running = role.start(configuration, host);
    if (running.reload !== undefined) process.on('SIGHUP', reload);
    if (running.control !== undefined)
      control = await ControlServer.listen(running.control.path, running.control.commands);
    host.report(role.name, { kind: 'started' });
    host.report(role.name, { kind: 'ending', reason: await end.reason });
  } finally {
    process.off('SIGHUP', reload);
    control?.close();
    await host.close();
    await running?.close?.();
    end.stopWatching();
  }
  host.report(role.name, { kind: 'ended' });
}

/** A second signal does not wait for goodbyes. */
function watchForEnd(): { readonly reason: Promise<string>; stopWatching(): void } {
  let stopWatching = (): void => {};
  // A role works until it is told to end, also one whose only sockets are those of other threads.
  const work = setInterval(() => {}, 2 ** 30);
  const reason = new Promise<string>((resolve) => {
    let isEnding = false;
    const onSignal = (signal: NodeJS.Signals): void => {
      if (isEnding) process.exit(1);
      isEnding = true;
      resolve(signal);
    };
    const onDisconnect = (): void => resolve('the parent is gone');
    process.on('SIGINT', onSignal).on('SIGTERM', onSignal).on('disconnect', onDisconnect);
    stopWatching = (): void => {
      clearInterval(work);
      process.off('SIGINT', onSignal).off('SIGTERM', onSignal).off('disconnect', onDisconnect);
      // A channel to the parent would keep the process alive.
      if (process.connected) process.disconnect();
    };
    if (process.send !== undefined && !process.connected) onDisconnect();
  });
  return { reason, stopWatching: () => stopWatching() };
}

/** For a role whose work the kernel of this machine refuses. */
export function asNotPermitted(error: unknown, what: string): unknown {
  if (!(error instanceof TrimaranError) || (error.code !== 'EPERM' && error.code !== 'EACCES')) return error;
  return new TrimaranError('NOT_PERMITTED', `${what}: ${error.message}`, {
    cause: error,
    remedy:
      'Run it as root, with CAP_NET_ADMIN, or inside a user namespace ("trimaran doctor" tells what is possible here).',
  });
}
