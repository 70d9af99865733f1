/**
 * How a Cx answer ended (TS 29.229 §6.2). Result-Code and Experimental-Result exclude each other by the standard; a server that
 * sends both (PyHSS) means the Result-Code. The two number spaces overlap: 2001 and 5001 to 5012 mean
 * different things in each.
 */
import { type Avp, type Avps, avp, avpValue } from './avp.ts';
import { baseAvps } from './dictionary/base.ts';
import { vendor3gpp } from './dictionary/cx.ts';
import { resultCode } from './result-code.ts';

export interface CxResult {
  /** DIAMETER_SUCCESS, or an experimental code of the class 2xxx. */
  readonly isSuccess: boolean;
  /** Experimental-Result-Code of vendor 3GPP; absent when a Result-Code decides. */
  readonly experimental?: number;
}

export function cxResultOf(avps: Avps): CxResult {
  const code = avpValue(avps, baseAvps.resultCode);
  if (code !== undefined) return { isSuccess: code === resultCode.success };
  const experimental = avpValue(
    avpValue(avps, baseAvps.experimentalResult) ?? [],
    baseAvps.experimentalResultCode,
  );
  if (experimental === undefined) return { isSuccess: false };
  return { isSuccess: experimental >= 2000 && experimental < 3000, experimental };
}

/** Experimental-Result of vendor 3GPP, for an answer. */
export function experimentalResult(code: number): Avp {
  return avp(baseAvps.experimentalResult, [
    avp(baseAvps.vendorId, vendor3gpp),
    avp(baseAvps.experimentalResultCode, code),
  ]);
}
