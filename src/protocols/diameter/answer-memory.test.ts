import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AnswerMemory } from './answer-memory.ts';
import { avp } from './avp.ts';
import { baseAvps } from './dictionary/base.ts';
import { answerMemoryMs, maximumRememberedAnswers } from './limits.ts';
import type { DiameterMessage } from './message.ts';

test('AnswerMemory: a duplicate is known by its End-to-End identifier, its origin and its command', () => {
  const memory = new AnswerMemory();
  const first = memory.note(request('as.example', 1), 1, 0);
  assert.equal(first.id, 1);
  assert.equal(memory.note(request('AS.example', 1), 2, 5), first);
  assert.equal(memory.note(request('other.example', 1), 3, 5).id, 3);
  assert.equal(memory.note({ ...request('as.example', 1), commandCode: 275 }, 4, 5).id, 4);
});

test('AnswerMemory: a request is forgotten after four minutes, and when so many have come since', () => {
  const memory = new AnswerMemory();
  memory.note(request('as.example', 1), 1, 0);
  assert.equal(memory.note(request('as.example', 1), 2, answerMemoryMs - 1).id, 1);
  assert.equal(memory.note(request('as.example', 1), 3, answerMemoryMs).id, 3);
  const now = answerMemoryMs + 1;
  for (let count = 1; count < maximumRememberedAnswers; count++)
    memory.note(request('as.example', 1000 + count), 1000 + count, now);
  assert.equal(memory.note(request('as.example', 1001), 4, now).id, 1001, 'there is room for it');
  assert.equal(memory.note(request('as.example', 1), 5, now).id, 5, 'the oldest made room');
});

function request(origin: string, endToEndId: number): DiameterMessage {
  return {
    commandCode: 330,
    applicationId: 12,
    isRequest: true,
    isProxiable: true,
    isError: false,
    isRetransmitted: false,
    hopByHopId: 1,
    endToEndId,
    avps: [avp(baseAvps.originHost, origin)],
  };
}
