/** What the core has confirmed to anybody outlives its processes, killed at any instant and started again. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { randomBelow, SeededRandomSource } from '../../src/base/random-source.ts';
import { HomeSubscriberServer } from '../../src/ims-core/hss/home-subscriber-server.ts';
import { trimFilterCriteria } from '../../src/ims-core/hss/subscriber.ts';
import { Usim } from '../../src/protocols/aka/usim.ts';
import { cseqOf } from '../../src/protocols/sip/message/header-fields.ts';
import { ImsCoreLab, type TestUser } from './ims-core-lab.ts';
import { MortalFunction } from './mortal-function.ts';

const kills = 100;
/** Registrations of both and a call take half a second here; some kills hit when all is quiet. */
const liveMs = 600;
/** Diameter peers come back after 30 s (Tc). */
const recoveryMs = 45_000;
const usimKey = {
  k: new Uint8Array(Buffer.from('465b5ce8b199b49faa5f0a2ee238a6bc', 'hex')),
  opc: new Uint8Array(Buffer.from('cd63cb71954a9f4e48a5994e37a02baf', 'hex')),
};

class SurvivalLab {
  readonly core: ImsCoreLab;
  readonly mn: TestUser;
  readonly cn: TestUser;
  readonly #mortals = new Map<string, MortalFunction>();
  #hss: HomeSubscriberServer | undefined;

  constructor(seed: number) {
    const random = new SeededRandomSource(seed);
    const hss = new MortalFunction((life, { lines }) => {
      this.#hss = newSubscriberServer(life, lines);
      return this.#hss;
    }, random);
    this.#mortals.set('HSS', hss);
    this.core = new ImsCoreLab({
      subscribers: [],
      homeSubscriberServer: hss,
      runMortal: (address, create) => {
        const mortal = new MortalFunction(create, random);
        this.#mortals.set(address === '10.0.1.3' ? 'S' : address === '10.0.1.1' ? 'P' : 'P2', mortal);
        return mortal;
      },
    });
    this.mn = this.core.user({
      ...{ identity: 'sip:mn@home1.net', password: new Usim(usimKey), address: '10.0.0.10', seed: 10 },
    });
    this.cn = this.core.user({
      ...{ identity: 'sip:cn@home1.net', password: 'secret', address: '10.0.0.20', seed: 20 },
    });
  }

  kill(name: string, downMs: number): void {
    const mortal = this.#mortals.get(name)!;
    mortal.kill();
    this.core.network.abandon(mortal);
    this.core.run(downMs);
    mortal.start(this.core.now);
  }

  terminate(): boolean {
    const isTerminated = this.#hss!.terminate('mn@home1.net', 0, this.core.now);
    this.core.run(2_000);
    return isTerminated;
  }
}

function newSubscriberServer(life: number, journal: readonly string[]): HomeSubscriberServer {
  const subscriber = (name: string) => ({
    privateIdentity: `${name}@home1.net`,
    publicIdentities: [{ identity: `sip:${name}@home1.net` }],
  });
  return new HomeSubscriberServer({
    diameter: {
      originHost: 'hss.home1.net',
      originRealm: 'home1.net',
      originStateId: 1 + life,
      listen: [{ address: '10.0.1.5', port: 3868 }],
      peers: [{ host: 'icscf.home1.net' }, { host: 'scscf.home1.net' }],
      random: new SeededRandomSource(5 + 100 * life),
    },
    subscribers: [
      {
        ...subscriber('mn'),
        credentials: usimKey,
        initialFilterCriteria: trimFilterCriteria('sip:as.home1.net'),
      },
      { ...subscriber('cn'), credentials: { password: 'secret' }, initialFilterCriteria: [] },
    ],
    digestRealm: 'home1.net',
    journal,
  });
}

/** The last REGISTER was confirmed. */
function isRegistered({ responses }: TestUser): boolean {
  return responses.findLast((response) => cseqOf(response).method === 'REGISTER')?.statusCode === 200;
}

const outcomes = { registered: 0, inCall: 0, lost: 0 };

for (let seed = 1; seed <= kills; seed++) {
  const random = new SeededRandomSource(seed * 7_919);
  const name = ['HSS', 'S', 'P'][seed % 3]!;
  const atMs = randomBelow(random, liveMs);
  test(`IMS core: ${name} killed ${atMs} ms into registrations and a call (seed ${seed}): what was confirmed holds`, () => {
    const lab = new SurvivalLab(seed);
    const { core, mn, cn } = lab;
    mn.register(core.now);
    cn.register(core.now);
    core.network.after(250, () => {
      if (isRegistered(mn)) mn.call(core.now, 'sip:cn@home1.net');
      core.network.flush();
    });
    core.run(atMs);
    const confirmed = [isRegistered(mn), isRegistered(cn), mn.dialog !== undefined];
    lab.kill(name, 20 + randomBelow(random, 400));
    core.run(recoveryMs);
    checkPromises(lab, confirmed);
    outcomes.registered += confirmed[0] ? 1 : 0;
    outcomes.inCall += confirmed[2] ? 1 : 0;
    outcomes.lost += confirmed[0] ? 0 : 1;
  });
}

test('IMS core: the kills above hit registrations before and after their confirmation, and calls', () => {
  assert.ok(outcomes.registered > 20 && outcomes.inCall > 10 && outcomes.lost > 10, JSON.stringify(outcomes));
});

/** Whoever was registered is called without registering again; the network can end the call that was made; whoever was not comes in. */
function checkPromises(lab: SurvivalLab, [isMnIn, isCnIn, isInCall]: readonly boolean[]): void {
  const { core, mn, cn } = lab;
  if (isMnIn !== true) assert.equal(registersAnew(lab, mn), true, 'MN comes in after the restart');
  if (isCnIn !== true) assert.equal(registersAnew(lab, cn), true, 'CN comes in after the restart');
  const heard = mn.requests.length;
  mn.dialog = undefined;
  cn.dialog = undefined;
  cn.call(core.now, 'sip:mn@home1.net');
  core.run(2_000);
  assert.ok(
    mn.requests.slice(heard).some(({ method }) => method === 'INVITE'),
    'MN is called where he registered',
  );
  assert.equal(cn.responses.at(-1)?.statusCode, 200);
  assert.ok(lab.terminate(), 'the HSS knows that MN is registered');
  const ended = (user: TestUser, callId: string): boolean =>
    user.requests.some(({ method, headers }) => method === 'BYE' && headers.get('Call-ID') === callId);
  assert.ok(ended(mn, 'INVITE-20') && ended(cn, 'INVITE-20'), 'the new call ends with the registration');
  if (isInCall === true)
    assert.ok(ended(mn, 'INVITE-10') && ended(cn, 'INVITE-10'), 'and so does the one from before');
}

function registersAnew({ core }: SurvivalLab, user: TestUser): boolean {
  user.register(core.now);
  core.run(2_000);
  return isRegistered(user);
}
