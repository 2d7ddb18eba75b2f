/** How far a job is. */
export interface JobProgress {
  /** What it does: `merge`, `compare`, `write adapter_model.safetensors` … */
  readonly phase: string;
  /** Bytes that are done, and all of them. */
  readonly done: number;
  readonly total: number;
  /** What it works on, where that is known. */
  readonly item?: string;
}

/** Is told how far a job is, as often as it is known. */
export type OnProgress = (progress: JobProgress) => void;
