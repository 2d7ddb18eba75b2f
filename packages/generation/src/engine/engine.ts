import { BASE, PeftModel } from "@weft/registry";
import { afterOtherTasks, CapabilityError, ConfigError, type Device, DeviceError, deviceOf } from "@weft/tensor-core";
import { assertInVocabulary } from "../assert-in-vocabulary.js";
import { positionsOf } from "../positions-of.js";
import { type AdaptedCausalLM, BatchDecoder, causalBase, type GenerativeModel, type RowInput } from "./batch-decoder.js";
import { REWIND } from "./cache-rows.js";
import { LONGEST_PIECE, nextPiece } from "./pieces.js";
import { Row, Sequence } from "./row.js";
import type { TokenRequest } from "./token-request.js";

/** How an engine runs requests. */
export interface EngineOptions {
  /** Where it runs; where the weights lie if not given. */
  readonly device?: Device;
  /** So many requests run at once, in one batch; others wait. 8 if not given. */
  readonly maxBatch?: number;
  /** Positions that a request may take, prompt and answer together; what the model was made for if not given. */
  readonly contextLength?: number;
  /**
   * Adapters of the `PeftModel` of which each request chooses one, or none. Without it the model's active adapters act on all requests.
   */
  readonly adapters?: readonly string[];
  /** So many requests may wait; more are refused. No limit if not given. */
  readonly maxWaiting?: number;
}

/** What an engine has done so far, and what it is doing. */
export interface EngineCounts {
  /** Requests that run, and that wait. */
  readonly running: number;
  readonly waiting: number;
  /** Tokens of prompts that were run, and that were found in the cache. */
  readonly promptTokens: number;
  readonly reusedTokens: number;
  readonly generatedTokens: number;
  /** Passes over the whole batch. */
  readonly steps: number;
  /** Guessed tokens that proved right. */
  readonly acceptedDrafts: number;
}

/** Without a limit of the model's: positions that a request may take. */
const DEFAULT_CONTEXT = 2048;
/** The smallest cache; it doubles where a sequence grows beyond it. */
const LEAST_CAPACITY = 128;
/** So many guesses are run at once at most. */
const LONGEST_DRAFT = 32;

const powerOfTwo = (least: number): number => 2 ** Math.ceil(Math.log2(Math.max(1, least)));

/**
 * Continues many sequences at once (continuous batching): requests come and go while others run, prompts are run piece by piece between steps of the rest, and a step runs
 * one token of each in one pass, each with its own adapter. What a request gives does not depend on what runs beside it. Prompts that begin as one before them find that
 * beginning in the cache.
 */
export class GenerationEngine {
  readonly model: GenerativeModel;
  readonly contextLength: number;
  readonly maxBatch: number;
  private readonly decoder: BatchDecoder;
  private readonly maxWaiting: number;
  private names: readonly string[] | undefined;
  private waiting: Sequence[] = [];
  private rows: Row[] = [];
  /** What is to be done between two passes. */
  private between: (() => Promise<void>)[] = [];
  private serving: Promise<void> | undefined;
  private closed = false;
  private readonly counted = { promptTokens: 0, reusedTokens: 0, generatedTokens: 0, steps: 0, acceptedDrafts: 0 };

  /** @throws ConfigError for a model that is no causal language model; adapters of a model that has none */
  constructor(model: GenerativeModel, options: EngineOptions = {}) {
    const base = causalBase(model);
    this.model = model;
    this.maxBatch = options.maxBatch ?? 8;
    if (!Number.isSafeInteger(this.maxBatch) || this.maxBatch < 1)
      throw new ConfigError(`maxBatch is ${options.maxBatch}, expected a whole number from 1`);
    this.contextLength = options.contextLength ?? positionsOf(base.config) ?? DEFAULT_CONTEXT;
    this.maxWaiting = options.maxWaiting ?? Infinity;
    this.names = options.adapters;
    if (this.names && !(model instanceof PeftModel))
      throw new ConfigError("adapters are given, but the model has none", { hint: "give a PeftModel, with adapters loaded" });
    const device = options.device ?? deviceOf([...base.weights.values()]);
    this.decoder = new BatchDecoder(model, device, this.names !== undefined);
    if (this.names) this.between.push(() => this.prepared(this.names!));
  }

  /** Adapters that requests may choose. */
  get adapters(): readonly string[] {
    return this.names ?? [];
  }

  get counts(): EngineCounts {
    return { running: this.running.length, waiting: this.waiting.length, ...this.counted };
  }

  /** So many new tokens the context has room for behind a prompt. */
  room(promptTokens: number): number {
    return this.contextLength - this.decoder.virtualTokens - promptTokens;
  }

  /**
   * Runs a request to its end.
   * @throws ConfigError for one that cannot be run; CapabilityError kind `busy` if too many wait; CancelledError; what its `choose` throws
   */
  async run(request: TokenRequest): Promise<void> {
    if (this.closed) throw new DeviceError("the engine is used after it was disposed of", { kind: "disposed" });
    const adapter = this.adapterOf(request);
    this.assertFits(request);
    const sequence = new Sequence(request, adapter, this.decoder.actsFrom(request.tokens, adapter));
    if (sequence.cancelled) throw sequence.cancellation();
    if (this.waiting.length >= this.maxWaiting)
      throw new CapabilityError(`${this.waiting.length} requests wait already`, {
        kind: "busy",
        hint: "try again later, or raise maxWaiting",
      });
    this.waiting.push(sequence);
    this.serving ??= this.serve();
    return sequence.done;
  }

  /**
   * Changes which adapters requests may choose, between two passes. Requests under way go on with theirs.
   * @throws ConfigError for one that the model does not have, that cannot be mixed, or that a request under way uses
   */
  setAdapters(names: readonly string[]): Promise<void> {
    if (!this.names) throw new ConfigError("the engine was made without `adapters`: its model's active adapters act on all requests");
    return new Promise((resolve, reject) => {
      this.between.push(() => this.exchange(names).then(resolve, reject));
      this.serving ??= this.serve();
    });
  }

  /** Ends all requests with a CancelledError, and frees the cache. The model stays as it is. */
  async dispose(): Promise<void> {
    this.closed = true;
    await this.serving;
    this.decoder.dispose();
  }

  private get running(): Row[] {
    return this.rows.filter((row) => row.sequence);
  }

  private adapterOf({ adapter }: TokenRequest): string | undefined {
    if (!this.names) {
      if (adapter === undefined) return undefined;
      throw new ConfigError(`a request asks for adapter ${JSON.stringify(adapter)}, but the engine was made without \`adapters\``);
    }
    if (adapter !== undefined && adapter !== BASE && !this.names.includes(adapter))
      throw new ConfigError(`no adapter is called ${JSON.stringify(adapter)}`, {
        kind: "no-such-adapter",
        hint: this.names.length > 0 ? `there are ${this.names.join(", ")}` : "setAdapters() first",
      });
    return adapter ?? BASE;
  }

  private assertFits({ tokens, maxNewTokens }: TokenRequest): void {
    if (tokens.length === 0) throw new ConfigError("a request has no tokens to begin with", { hint: "begin with the begin-of-text token" });
    assertInVocabulary(tokens, this.decoder.base.config);
    if (!Number.isSafeInteger(maxNewTokens) || maxNewTokens < 1)
      throw new ConfigError(`maxNewTokens is ${maxNewTokens}, expected a whole number from 1`);
    const room = this.room(tokens.length);
    if (maxNewTokens > room)
      throw new ConfigError(
        `a prompt of ${tokens.length} tokens leaves room for ${Math.max(0, room)} new ones, and ${maxNewTokens} are asked for`,
        {
          kind: "context-length",
          hint: `the context has ${this.contextLength} positions: shorten the prompt or lower maxNewTokens`,
        },
      );
  }

  /** Runs passes while there is something to do. */
  private async serve(): Promise<void> {
    try {
      // What is asked for together begins together.
      await afterOtherTasks();
      for (;;) {
        for (const change of this.between.splice(0)) await change();
        this.dropCancelled();
        if (this.waiting.length === 0 && this.running.length === 0) break;
        await this.makeRoom();
        this.admit();
        await this.pass();
        await afterOtherTasks();
      }
    } catch (error) {
      for (const sequence of this.all()) sequence.fail(error);
      this.decoder.dispose();
      this.rows = [];
      this.waiting = [];
    } finally {
      this.serving = undefined;
    }
    // What came while the last pass ended.
    if (this.waiting.length > 0 || this.between.length > 0) this.serving ??= this.serve();
  }

  private all(): Sequence[] {
    return [...this.waiting, ...this.running.map((row) => row.sequence!)];
  }

  private dropCancelled(): void {
    const gone = (sequence: Sequence): boolean => this.closed || sequence.cancelled;
    for (const sequence of this.all()) if (gone(sequence)) sequence.fail(sequence.cancellation());
    this.waiting = this.waiting.filter((sequence) => !gone(sequence));
    for (const row of this.running) if (gone(row.sequence!)) row.sequence = undefined;
  }

  /** As many rows as there are requests, up to the most, and as many positions as the longest of them has taken so far, with room for some more. */
  private async makeRoom(): Promise<void> {
    const wanted = Math.min(this.maxBatch, this.running.length + this.waiting.length);
    const { batch, capacity } = this.decoder.shape;
    const soon = [...this.waiting.slice(0, wanted - this.running.length), ...this.running.map(({ sequence }) => sequence!)];
    // Behind the last token guesses, or a piece that is filled up, may be written.
    const needs = soon.map(({ tokens }) => this.decoder.virtualTokens + tokens.length + LONGEST_DRAFT + 1);
    const room = powerOfTwo(Math.max(LEAST_CAPACITY, ...needs));
    const next = {
      batch: wanted > batch || wanted * 4 <= batch ? Math.min(this.maxBatch, powerOfTwo(wanted)) : batch,
      capacity: this.decoder.holdsPositions ? Math.max(capacity, room) : LEAST_CAPACITY,
    };
    if (next.batch === batch && next.capacity === capacity) return;
    // Rows under way first, then those that hold most.
    const byWorth = [...this.rows.keys()].toSorted((a, b) => this.worth(b) - this.worth(a)).slice(0, next.batch);
    const order = next.batch >= batch ? byWorth.toSorted((a, b) => a - b) : byWorth;
    await this.decoder.reshape(next, order);
    this.rows = [...order.map((i) => this.rows[i]!), ...Array.from({ length: next.batch - order.length }, () => new Row())];
  }

  private worth(i: number): number {
    const { sequence, held } = this.rows[i]!;
    return sequence ? Infinity : held.length;
  }

  /** Gives free rows to those that wait: to each the row that holds most of its beginning. */
  private admit(): void {
    for (;;) {
      const free = this.rows.filter((row) => !row.sequence);
      const sequence = free.length > 0 ? this.waiting.shift() : undefined;
      if (!sequence) return;
      const kept = (row: Row): number => row.reusable(sequence, this.leastKept(row));
      const best = free.reduce((a, b) => (kept(b) > kept(a) || (kept(b) === kept(a) && b.held.length < a.held.length) ? b : a));
      this.counted.reusedTokens += kept(best);
      best.take(sequence, kept(best));
    }
  }

  /** Behind which token of a row nothing can go on but at its beginning: a state has no way back, a window a short one, unless it still holds all. */
  private leastKept({ held, written }: Row): number {
    const { holdsPositions, positionsKept, virtualTokens } = this.decoder;
    if (!holdsPositions) return held.length;
    return virtualTokens + written <= positionsKept ? 0 : written - REWIND;
  }

  /** One piece of a prompt, or one of each, then one step of the rest. A state would be changed by steps in between, so that its prompt is run at once. */
  private async pass(): Promise<void> {
    const filling = this.rows.filter((row) => row.isFilling);
    if (filling.length > 0) {
      do await this.fill(filling);
      while (!this.decoder.holdsPositions && filling[0]!.isFilling);
    }
    const ready = this.rows.filter((row) => row.sequence && !row.isFilling);
    const mayStep = this.decoder.holdsPositions || !this.rows.some((row) => row.isFilling);
    if (ready.length > 0 && mayStep) await this.step(ready);
  }

  /** Runs the next piece of the first of these rows; of all of them where they are all rows there are, and their pieces are alike and short. */
  private async fill(filling: readonly Row[]): Promise<void> {
    const { holdsPositions, base } = this.decoder;
    const pieces = filling.map((row) => this.pieceOf(row));
    const [{ length, isFirst }] = pieces as [ReturnType<GenerationEngine["pieceOf"]>];
    const alike = pieces.every((piece) => piece.length === length && piece.isFirst === isFirst);
    const together =
      holdsPositions && filling.length > 1 && filling.length === this.rows.length && alike && pieces.length * length <= LONGEST_PIECE;
    const run = together ? pieces : pieces.slice(0, 1);
    const row = together ? undefined : this.rows.indexOf(filling[0]!);
    const logits = await this.decoder.prefill(row, run, length, isFirst);
    for (const [i, { row: filled, tokens, position }] of run.entries()) {
      filled.wrote(position, length);
      this.counted.promptTokens += tokens.length;
      filled.held.push(...tokens);
      const { vocabSize } = base.config;
      if (filled.held.length === filled.sequence!.tokens.length) this.choose(filled, logits.subarray(i * vocabSize, (i + 1) * vocabSize));
    }
  }

  /** The next piece of a row's prompt, and as how many tokens it runs. */
  private pieceOf(row: Row): RowInput & { readonly row: Row; readonly length: number; readonly isFirst: boolean } {
    const { tokens } = row.sequence!;
    const position = row.held.length;
    const { holdsPositions, virtualTokens, shape } = this.decoder;
    const piece = nextPiece(tokens.length - position, holdsPositions ? shape.capacity - virtualTokens - position : 0);
    const part = tokens.slice(position, position + piece.tokens);
    return { row, tokens: part, position, length: piece.length, isFirst: position === 0, ...this.adapterIn(row) };
  }

  private async step(ready: readonly Row[]): Promise<void> {
    const drafts = new Map(ready.map((row) => [row, this.draft(row)]));
    const length = 1 + Math.max(...[...drafts.values()].map((guesses) => guesses.length));
    const filledUp = (ids: readonly number[]): number[] => [...ids, ...Array<number>(length - ids.length).fill(0)];
    const inputs = this.rows.map((row): RowInput => {
      const guesses = drafts.get(row);
      // Other rows run along behind what they hold.
      const tokens = filledUp(guesses ? [row.sequence!.tokens.at(-1)!, ...guesses] : []);
      return { tokens, position: this.placeOf(row, length), ...this.adapterIn(row) };
    });
    const logits = await this.decoder.step(inputs);
    for (const [i, row] of this.rows.entries()) row.wrote(inputs[i]!.position, length);
    this.counted.steps++;
    const { vocabSize } = this.decoder.base.config;
    for (const [row, guesses] of drafts) {
      const first = this.rows.indexOf(row) * length;
      for (let i = 0; i < length; i++) {
        row.held.push(row.sequence!.tokens.at(-1)!);
        const token = this.choose(row, logits.subarray((first + i) * vocabSize, (first + i + 1) * vocabSize));
        if (!row.sequence || i === guesses.length || token !== guesses[i]) break;
        this.counted.acceptedDrafts++;
      }
    }
    // A state of a row that ran along is none of what it held.
    if (!this.decoder.holdsPositions) for (const row of this.rows) if (!drafts.has(row)) row.held = [];
  }

  /** Where a row's tokens of a step go: behind what it holds, of which a row without a request gives up what would be in the way. */
  private placeOf(row: Row, length: number): number {
    const last = this.decoder.shape.capacity - this.decoder.virtualTokens - length;
    if (this.decoder.holdsPositions && row.held.length > last) row.held.length = last;
    return row.held.length;
  }

  /** Guesses of a row's next tokens. A state cannot go back behind one that was wrong. */
  private draft({ sequence }: Row): readonly number[] {
    const { request, tokens } = sequence!;
    if (!request.draft || !this.decoder.holdsPositions) return [];
    const left = request.tokens.length + request.maxNewTokens - tokens.length;
    return request.draft(tokens).slice(0, Math.min(LONGEST_DRAFT, Math.max(0, left - 1)));
  }

  private choose(row: Row, logits: Float32Array): number | undefined {
    const sequence = row.sequence!;
    try {
      const { token, done } = sequence.request.choose(logits);
      sequence.tokens.push(token);
      this.counted.generatedTokens++;
      if (!done && sequence.tokens.length < sequence.request.tokens.length + sequence.request.maxNewTokens) return token;
      sequence.finish();
      row.sequence = undefined;
      return token;
    } catch (error) {
      sequence.fail(error);
      row.sequence = undefined;
      return undefined;
    }
  }

  /** A row's adapter by number, and where it acts. */
  private adapterIn({ sequence }: Row): Pick<RowInput, "adapter" | "actsFrom"> {
    return { adapter: this.names && sequence ? this.names.indexOf(sequence.adapter!) : -1, actsFrom: sequence?.actsFrom ?? 0 };
  }

  private async prepared(names: readonly string[]): Promise<void> {
    await (this.model as AdaptedCausalLM).prepareBatch(names);
    this.decoder.forgetPlans();
  }

  private async exchange(names: readonly string[]): Promise<void> {
    const used = this.all().flatMap(({ adapter }) => (adapter === undefined || adapter === BASE ? [] : [adapter]));
    const missing = used.find((name) => !names.includes(name));
    if (missing !== undefined) throw new ConfigError(`adapter "${missing}" is used by a request under way`, { hint: "wait for its end" });
    await this.prepared(names);
    this.names = [...names];
    // Under a name there may be another adapter now.
    for (const row of this.rows) if (!row.sequence) row.held = [];
  }
}
