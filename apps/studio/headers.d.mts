/** The policy for the page, its workers and theirs. */
export declare const POLICY: string;
/** Headers of every answer. */
export declare const HEADERS: Readonly<Record<string, string>>;
