/** Which endpoint a request goes to: round robin or least outstanding, by weight, past those that are out. */
import type { Endpoint, HealthSettings } from "./endpoints.ts";

export interface WeightedEndpoint {
  readonly endpoint: Endpoint;
  /** Relative; above 0. */
  readonly weight: number;
}

export type LoadBalancing = "RoundRobin" | "LeastOutstanding";

interface Member extends WeightedEndpoint {
  /** Of smooth weighted round robin, as NGINX does it: spreads a heavy endpoint's turns evenly. */
  credit: number;
}

export class Pool {
  private readonly members: readonly Member[];
  private readonly loadBalancing: LoadBalancing;
  private readonly equal: boolean;
  private next: number;

  /** `random` gives numbers from 0 up to but not including 1: processes do not all begin with one endpoint. */
  constructor(members: readonly WeightedEndpoint[], loadBalancing: LoadBalancing, random: () => number) {
    this.members = members.map(({ endpoint, weight }) => ({ endpoint, weight, credit: 0 }));
    this.loadBalancing = loadBalancing;
    this.equal = members.every(({ weight }) => weight === members[0]!.weight);
    this.next = members.length > 1 ? Math.floor(random() * members.length) : 0;
  }

  get size(): number {
    return this.members.length;
  }

  endpoints(): readonly Endpoint[] {
    return this.members.map(({ endpoint }) => endpoint);
  }

  /**
   * The endpoint for a request that has been at `tried` already; `undefined` when there is none left. Health is ignored when
   * there is one endpoint, and for a request's first try when all are out: trying beats refusing, but one try tells as much as many.
   */
  pick(tried: readonly Endpoint[], health: HealthSettings, nowMs: number): Endpoint | undefined {
    if (this.members.length === 1) {
      const only = this.members[0]!.endpoint;
      return tried.length === 0 ? only : undefined;
    }
    const available = this.choose(tried, health, nowMs, false);
    return available ?? (tried.length === 0 ? this.choose(tried, health, nowMs, true) : undefined);
  }

  private choose(
    tried: readonly Endpoint[],
    health: HealthSettings,
    nowMs: number,
    evenIfOut: boolean,
  ): Endpoint | undefined {
    const eligible = (member: Member) =>
      !tried.includes(member.endpoint) && (evenIfOut || member.endpoint.available(health, nowMs));
    if (this.loadBalancing === "LeastOutstanding") return this.leastOutstanding(eligible);
    if (!this.equal) return this.weightedRoundRobin(eligible);
    return this.roundRobin(eligible, tried.length === 0);
  }

  /** A retry takes no turn, or those behind an endpoint that fails would all begin with it. */
  private roundRobin(eligible: (member: Member) => boolean, takesTurn: boolean): Endpoint | undefined {
    const { members } = this;
    for (let i = 0; i < members.length; i++) {
      const at = (this.next + i) % members.length;
      if (!eligible(members[at]!)) continue;
      if (takesTurn) this.next = (at + 1) % members.length;
      return members[at]!.endpoint;
    }
    return undefined;
  }

  private weightedRoundRobin(eligible: (member: Member) => boolean): Endpoint | undefined {
    let best: Member | undefined;
    let total = 0;
    for (const member of this.members) {
      if (!eligible(member)) continue;
      member.credit += member.weight;
      total += member.weight;
      if (best === undefined || member.credit > best.credit) best = member;
    }
    if (best !== undefined) best.credit -= total;
    return best?.endpoint;
  }

  /** The fewest in flight for its weight; among equals, in turn. */
  private leastOutstanding(eligible: (member: Member) => boolean): Endpoint | undefined {
    const { members } = this;
    let best: Member | undefined;
    let bestLoad = 0;
    let bestAt = 0;
    for (let i = 0; i < members.length; i++) {
      const at = (this.next + i) % members.length;
      const member = members[at]!;
      if (!eligible(member)) continue;
      const load = (member.endpoint.inFlight + 1) / member.weight;
      if (best !== undefined && load >= bestLoad) continue;
      best = member;
      bestLoad = load;
      bestAt = at;
    }
    if (best === undefined) return undefined;
    this.next = (bestAt + 1) % members.length;
    return best.endpoint;
  }
}
