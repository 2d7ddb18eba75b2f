import { randomBytes } from "node:crypto";
import type { CallFormat } from "@weft/tokenizers/chat";
import type { NumberedCall, Piece } from "./format.js";

/** A text that may hold calls of tools, as it grows: what is no call for certain can be told at once, the rest at its end. */
export class CallsInAnswer {
  private readonly format: CallFormat;
  private readonly isDemanded: boolean;
  private text: string;
  private told = 0;

  /** @param isDemanded whether the answer is the inside of a call, whose marks the model was spared */
  constructor(format: CallFormat, isDemanded: boolean) {
    this.format = format;
    this.isDemanded = isDemanded;
    this.text = isDemanded ? format.open : "";
  }

  /** What of a piece can be told now, and of what was held back before it. */
  push(piece: Piece): Piece {
    this.text += piece.text;
    const certain = this.isDemanded ? 0 : Math.max(this.told, this.format.certain(this.text));
    const text = this.text.slice(this.told, certain);
    this.told = certain;
    return { ...piece, text };
  }

  /** The calls, and the text beside them that has not been told. What was meant as a call and is none stays text. @param finished whether the model came to its end */
  end(finished: boolean): { readonly calls: readonly NumberedCall[]; readonly text: string } {
    const text = this.text + (this.isDemanded && finished ? this.format.close : "");
    const { calls } = this.format.parse(text);
    const marks = this.isDemanded ? this.format.open.length : 0;
    if (calls.length === 0) return { calls: [], text: this.text.slice(Math.max(this.told, marks)) };
    return { calls: calls.map((call) => ({ ...call, id: this.newId() })), text: "" };
  }

  /** Templates of Mistral take ids of nine letters and digits alone. */
  private newId(): string {
    return this.format.name === "mistral" ? randomBytes(5).toString("hex").slice(1) : `call_${randomBytes(12).toString("hex")}`;
  }
}
