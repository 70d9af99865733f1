/** `trimaran session`: a session for programs that do not speak SIP, as long as this command runs. */

import type { TransportAddress } from '../../base/network.ts';
import { transportAddress } from '../../runtime/configuration/configuration-values.ts';
import { parseMedium, SessionProgram } from '../../runtime/session-program.ts';
import type { CommandArguments } from '../command.ts';
import { type Command, type CommandOption, jsonOption, usageError } from '../command.ts';
import { exitCode } from '../exit-code.ts';

export const sessionOptions: readonly CommandOption[] = [
  { name: 'to', value: 'URI', description: 'The SIP URI of the peer, such as sip:alice@home1.example.' },
  {
    name: 'proxy',
    value: 'ADDRESS:PORT',
    description: 'The handover manager of this host; default 10.64.0.1:5070. Media are at its address.',
  },
];

export const sessionCommand: Command = {
  name: 'session',
  summary: 'open a session that survives a change of access network',
  synopsis: '--to URI [--proxy ADDRESS:PORT] [--json] MEDIUM…',
  description: [
    'Calls the peer through the mobile node on this host and tells where its media are: programs that use the internal address (10.64.0.1) can send there, and keep their addresses for as long as the session lives, whatever access network carries it.',
    'A MEDIUM is audio:PORT or video:PORT (RTP), udp:PORT, tcp:connect (the program here opens the connections) or tcp:listen:PORT.',
    'The session ends with SIGINT or SIGTERM, when standard input ends, or when the peer hangs up.',
  ],
  options: [...sessionOptions, jsonOption],
  operands: { minimum: 1, maximum: 16 },
  examples: [
    [
      'trimaran session --to sip:alice@ims.test audio:40000',
      'A session for an RTP program that uses port 40000 and 40001.',
    ],
    ['trimaran session --to sip:alice@ims.test tcp:connect', 'Tells the address and port to connect to.'],
  ],
  run: async (args) => {
    const session = await openSession(sessionCommand, args, args.operands);
    for (const { media, transport, localPort, address, port } of session.media) {
      const line = `${media} ${transport} ${localPort} -> ${address}:${port ?? 'connects'}`;
      process.stdout.write(
        `${args.options['json'] === true ? JSON.stringify({ media, transport, localPort, address, port }) : line}\n`,
      );
    }
    if (args.options['json'] === true) process.stdout.write(`${JSON.stringify({ established: true })}\n`);
    await Promise.race([session.ended(), endOfInput(), signalled()]);
    await session.close();
    // Standard input that nobody ends would keep the process.
    process.stdin.destroy();
    return exitCode.ok;
  },
};

/** For `trimaran run` too. */
export async function openSession(
  command: Command,
  { options }: CommandArguments,
  media: readonly string[],
): Promise<SessionProgram> {
  if (typeof options['to'] !== 'string') throw usageError(command, 'the peer is missing: --to URI');
  return await SessionProgram.open({
    to: options['to'],
    media: media.map(parseMedium),
    proxy: proxyOf(command, options['proxy']),
  });
}

function proxyOf(command: Command, text: string | boolean | undefined): TransportAddress {
  const parsed = transportAddress.safeParse(text ?? '10.64.0.1:5070');
  if (!parsed.success)
    throw usageError(command, parsed.error.issues[0]?.message ?? 'not an address with a port');
  return parsed.data;
}

function endOfInput(): Promise<void> {
  return new Promise((resolve) => {
    process.stdin.on('end', resolve).on('error', resolve).resume();
  });
}

function signalled(): Promise<void> {
  return new Promise((resolve) => {
    process.once('SIGINT', () => resolve()).once('SIGTERM', () => resolve());
  });
}
