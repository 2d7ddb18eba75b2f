import type { Device, Tensor } from "@weft/tensor-core";

/** What can be done with an adapter. */
export type Aspect = "load" | "forward" | "train" | "merge" | "save";

/** What a case that passes shows: these things can be done with the method on these kinds of layer. */
export interface Evidence {
  /** As the compatibility table calls it. */
  readonly method: string;
  readonly kinds: readonly string[];
  readonly aspects: readonly Aspect[];
}

/** What running one case gave. `unsupported`: nothing was checked; never counted as passed. */
export type Outcome =
  | {
      readonly status: "passed" | "failed";
      readonly error: number;
      readonly tolerance: number;
      readonly detail: string;
      readonly evidence?: Evidence;
    }
  | { readonly status: "unsupported"; readonly detail: string };

/** One case of a golden folder. */
export interface GoldenCase {
  /** Path below the golden folder: `peft/lora_linear`. */
  readonly name: string;
  /** It needs weights that are not in the repository: where they are not there, nothing is missing. */
  readonly external?: boolean;
  run(device: Device): Promise<Outcome>;
}

/** What a comparison allows: a share of max(1, largest expected element), or atol + rtol·|expected| for each element. */
export type Tolerance = number | { readonly atol: number; readonly rtol: number };

/** Collects comparisons of one case; the worst one is the result. */
export class Comparison {
  private worst = 0;
  private where = "nothing compared";
  private readonly tolerance: number;
  private readonly relative: number | undefined;
  private count = 0;
  private subject: Omit<Evidence, "aspects"> | undefined;
  private readonly aspects = new Set<Aspect>();

  constructor(tolerance: Tolerance) {
    this.tolerance = typeof tolerance === "number" ? tolerance : tolerance.atol;
    this.relative = typeof tolerance === "number" ? undefined : tolerance.rtol / tolerance.atol;
  }

  /**
   * max |got - want| / max(1, max |want|), the measure that make_peft.py states its tolerances in; for atol and rtol the largest
   * |got - want| / (1 + rtol/atol·|want|), which is allowed to be atol.
   */
  async tensors(what: string, got: Tensor, want: Tensor): Promise<void> {
    if (got.shape.join() !== want.shape.join()) return this.note(what, Infinity, `shape [${got.shape}], expected [${want.shape}]`);
    const [a, b] = [await got.data(), await want.data()];
    let gap = 0;
    let size = 1;
    for (let i = 0; i < b.length; i++) {
      const d = Math.abs(a[i]! - b[i]!) / (this.relative === undefined ? 1 : 1 + this.relative * Math.abs(b[i]!));
      gap = d === d ? Math.max(gap, d) : Infinity;
      if (this.relative === undefined) size = Math.max(size, Math.abs(b[i]!));
    }
    this.note(what, gap / size);
  }

  /** Something that must be exactly so. */
  exact(what: string, got: unknown, want: unknown): void {
    const same = JSON.stringify(got) === JSON.stringify(want);
    this.note(what, same ? 0 : Infinity, same ? "" : `${JSON.stringify(got)}, expected ${JSON.stringify(want)}`);
  }

  /** Bytes that must be the same. */
  bytes(what: string, got: Uint8Array, want: Uint8Array): void {
    const at = want.findIndex((byte, i) => byte !== got[i]);
    const same = at < 0 && got.byteLength === want.byteLength;
    const detail = at < 0 ? `${got.byteLength} bytes, expected ${want.byteLength}` : `byte ${at} is ${got[at]}, expected ${want[at]}`;
    this.note(what, same ? 0 : Infinity, same ? "" : detail);
  }

  /** A number that must not be larger than a limit of its own. */
  within(what: string, got: number, limit: number): void {
    const small = got <= limit;
    this.note(what, small ? 0 : Infinity, small ? "" : `${got}, at most ${limit} is allowed`);
  }

  /** Says what the case is about. */
  about(method: string, kinds: readonly string[]): void {
    this.subject = { method, kinds };
  }

  /** Says what has been compared. */
  shows(...aspects: readonly Aspect[]): void {
    for (const aspect of aspects) this.aspects.add(aspect);
  }

  outcome(): Outcome {
    if (this.count === 0) return { status: "failed", error: Infinity, tolerance: this.tolerance, detail: this.where };
    const status = this.worst <= this.tolerance ? "passed" : "failed";
    const evidence = this.subject && { ...this.subject, aspects: [...this.aspects] };
    return { status, error: this.worst, tolerance: this.tolerance, detail: this.where, ...(evidence && { evidence }) };
  }

  private note(what: string, error: number, detail = ""): void {
    this.count++;
    if (error >= this.worst || this.count === 1) {
      this.worst = error;
      this.where = detail ? `${what}: ${detail}` : what;
    }
  }
}
