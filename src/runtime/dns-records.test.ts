import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { promises as resolver } from 'node:dns';
import { test } from 'node:test';
import type { NetworkInput } from '../base/network.ts';
import { Host } from './host.ts';

test('Host answers questions to the DNS with all records, and with none when there are none or no server answers', async () => {
  const server = createSocket('udp4', (message, from) =>
    server.send(answerTo(message), from.port, from.address),
  );
  await new Promise<void>((resolve) => server.bind(0, '127.0.0.1', resolve));
  const before = resolver.getServers();
  resolver.setServers([`127.0.0.1:${server.address().port}`]);
  try {
    assert.deepEqual(await ask('naptr', 'example.test'), [
      {
        type: 'naptr',
        order: 10,
        preference: 20,
        flags: 's',
        service: 'SIP+D2U',
        regexp: '',
        replacement: '_sip._udp.example.test',
      },
    ]);
    assert.deepEqual(await ask('srv', '_sip._udp.example.test'), [
      { type: 'srv', priority: 1, weight: 2, port: 5070, target: 's.example.test' },
    ]);
    assert.deepEqual(await ask('a', 's.example.test'), [{ type: 'a', address: '192.0.2.7' }]);
    assert.deepEqual(await ask('aaaa', 's.example.test'), [{ type: 'aaaa', address: '2001:db8::7' }]);
    assert.deepEqual(await ask('a', 'nothing.test'), []);
  } finally {
    resolver.setServers(before);
    server.close();
  }
});

function ask(type: 'naptr' | 'srv' | 'a' | 'aaaa', name: string): Promise<unknown> {
  return new Promise((resolve) => {
    const deliver = (input: NetworkInput) => input.kind === 'resolved' && resolve(input.records);
    new Host({ deliver }).perform({ kind: 'resolve', query: { type, name } });
  });
}

/** The question back, with one record if its type is known and the name does not begin with "nothing". */
function answerTo(question: Buffer): Buffer {
  const end = question.indexOf(0, 12) + 5;
  const type = question.readUInt16BE(end - 4);
  const data = question.toString('latin1', 13, 20) === 'nothing' ? undefined : recordData[type];
  const header = Buffer.from(question.subarray(0, 12));
  header.writeUInt16BE(data === undefined ? 0x8183 : 0x8180, 2);
  header.writeUInt16BE(data === undefined ? 0 : 1, 6);
  header.writeUInt32BE(0, 8);
  if (data === undefined) return Buffer.concat([header, question.subarray(12, end)]);
  const record = Buffer.alloc(12);
  record.writeUInt16BE(0xc00c, 0);
  record.writeUInt16BE(type, 2);
  record.writeUInt16BE(1, 4);
  record.writeUInt32BE(60, 6);
  record.writeUInt16BE(data.length, 10);
  return Buffer.concat([header, question.subarray(12, end), record, data]);
}

function nameOf(text: string): Buffer {
  return Buffer.from([...text.split('.').flatMap((label) => [label.length, ...Buffer.from(label)]), 0]);
}

const recordData: Readonly<Record<number, Buffer>> = {
  1: Buffer.from([192, 0, 2, 7]),
  28: Buffer.from('20010db8000000000000000000000007', 'hex'),
  33: Buffer.concat([Buffer.from([0, 1, 0, 2, 5070 >> 8, 5070 & 255]), nameOf('s.example.test')]),
  35: Buffer.concat([
    Buffer.from([0, 10, 0, 20, 1]),
    Buffer.from('s'),
    Buffer.from([7]),
    Buffer.from('SIP+D2U'),
    Buffer.from([0]),
    nameOf('_sip._udp.example.test'),
  ]),
};
