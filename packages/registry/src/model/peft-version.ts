/** New adapters are in the format of this version of PEFT, whose readers of OFT need to know. */
export const PEFT_VERSION = "0.21.2";
