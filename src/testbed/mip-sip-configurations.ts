/** The configuration of the roles that only MIP–SIP fig. 3 has, and what it adds to the mobile node's: Mobile IP and the policy. */
import { join } from 'node:path';
import { labAddresses } from './lab-addresses.ts';
import type { LabAccess } from './lab-topology.ts';
import {
  correspondentIdentity,
  labDomain,
  mobileIdentity,
  passwordOf,
  privateIdentityOf,
  userOf,
} from './lab-users.ts';
import type { Scenario } from './scenario.ts';

type Settings = Pick<Scenario, 'mobileIp' | 'policy'>;

/** Nobody outside the lab can reach its agents. */
const securityAssociation = { spi: 256, algorithm: 'hmac-sha256', key: '07'.repeat(32) } as const;
const correspondentAssociation = { spi: 512, algorithm: 'hmac-sha256', key: '08'.repeat(32) } as const;
const sipServer = `${labAddresses.sipServer}:5060`;

export function homeAgentConfiguration({ mobileIp }: Settings, folder: string): object {
  return {
    address: labAddresses.homeAgent,
    'home-link': { interface: 'eth0', prefix: '10.30.0.0/24' },
    'mobile-nodes': [
      {
        'home-address': labAddresses.mobileNodeHome,
        'security-associations': [securityAssociation],
        encapsulation: mobileIp.encapsulation,
      },
    ],
    ...(mobileIp.registration === 'home-agent' && {
      'sip-registration': {
        sip: `${labAddresses.homeAgent}:5060`,
        registrar: sipServer,
        accounts: [
          {
            'home-address': labAddresses.mobileNodeHome,
            public: mobileIdentity,
            private: privateIdentityOf(mobileIdentity),
            password: passwordOf(mobileIdentity),
          },
        ],
      },
    }),
    journal: join(folder, 'home-agent'),
    control: join(folder, 'home-agent.sock'),
  };
}

/** Of the correspondent, which is no home agent. */
export function correspondentAgentConfiguration({ mobileIp }: Settings, folder: string): object {
  return {
    role: 'correspondent',
    address: labAddresses.correspondentNode,
    'mobile-nodes': [
      {
        'home-address': labAddresses.mobileNodeHome,
        'security-associations': [correspondentAssociation],
        encapsulation: mobileIp.encapsulation,
      },
    ],
    journal: join(folder, 'correspondent-agent'),
  };
}

export function sipServerConfiguration(): object {
  return {
    domain: labDomain,
    sip: sipServer,
    'trust-registered-addresses': true,
    users: [mobileIdentity, correspondentIdentity].map((identity) => ({
      name: userOf(identity),
      'authentication-name': privateIdentityOf(identity),
      password: passwordOf(identity),
    })),
  };
}

/** Beside what TRIM's mobile node has. */
export function mobileIpConfiguration({ mobileIp, policy }: Settings): object {
  return {
    registration: mobileIp.registration,
    'mobile-ip': {
      'home-address': labAddresses.mobileNodeHome,
      'home-agent': labAddresses.homeAgent,
      'security-association': securityAssociation,
      encapsulation: mobileIp.encapsulation,
      'probe-interval': `${mobileIp.probeIntervalMs}ms`,
      'missed-probes': mobileIp.missedProbes,
      ...(mobileIp.routeOptimisation && {
        correspondents: [
          { address: labAddresses.correspondentNode, 'security-association': correspondentAssociation },
        ],
      }),
    },
    ...(policy.kind === 'utility' && { policy: policyConfiguration(policy) }),
  };
}

function policyConfiguration(policy: Extract<Scenario['policy'], { kind: 'utility' }>): object {
  const { powerWeight, costWeight, loadWeight, ...options } = policy.options;
  return {
    weights: { power: powerWeight, cost: costWeight, load: loadWeight },
    'history-window': policy.historyWindow,
    'jitter-weight': policy.jitterWeight,
    'warm-up': options.warmUpSamples,
    hysteresis: options.hysteresis,
    'equal-coverage-hysteresis': options.equalCoverageHysteresis,
    'dwell-time': `${options.dwellMs}ms`,
    penalty: `${options.penaltyMs}ms`,
  };
}

/** Of one access, for the policy. */
export function scoresOf({ profile: { power, cost, coverage } }: LabAccess): object {
  return { power, cost, coverage };
}
