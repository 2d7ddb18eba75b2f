/** Errors of files and addresses: reading and writing safetensors, indexes, JSON. */
export interface FileErrorKinds {
  /** A file breaks the rules of its format. Fetch it again, or write it anew with the program that made it. */
  format: "format";
  /** The operating system refused to read or write; the message has its words. Check the disk, and the file's owner and mode. */
  io: "io";
  /** The disk is full, or the file would exceed the largest size allowed there. Free space, write elsewhere, or write smaller shards. */
  "disk-full": "io";
  /** There is no such file, folder, address or repository, or the folder has no safetensors file. Check the path; a repository of the hub is named `hf:user/repo`. */
  "not-found": "format" | "io";
  /** A file or repository may not be read. Check owner and mode; of the hub, accept the repository's terms and set `HF_TOKEN`. */
  "no-permission": "format" | "io";
  /** A path is not a regular file, or not one that can be written. Name a file on a disk. */
  "not-a-file": "format" | "config";
  /** A part of a path is a file where a folder is needed. Choose another folder. */
  "not-a-folder": "config";
  /** A path in an index leaves its folder, or is a link that does. The file is not to be trusted. */
  "unsafe-path": "format";
  /** Not a URL. Outside of a page URLs are absolute; paths of files are opened by the `/node` entry. */
  url: "io";
  /** A server cannot be reached, or answers with a failure. Try again later; check the address, and in a page that the server allows other origins (CORS). */
  http: "io";
  /** Not the id of a repository of the hub. Write `hf:user/repo` or `hf:user/repo@revision`. */
  "hub-id": "config";
  /** A value of an option, such as a size of shards, is none. The message names what is expected. */
  "config-value": "format";

  /** The file is shorter than the eight bytes that a safetensors file begins with. The download is incomplete: fetch it again. */
  "header-too-small": "format";
  /** The file ends within its header. The download is incomplete: fetch it again. */
  "header-truncated": "format";
  /** The header is, or would be, longer than the format allows. Not a safetensors file; or, in writing, use more and smaller shards. */
  "header-too-large": "format";
  /** The header is not UTF-8. The file is damaged: fetch it again. */
  "header-utf8": "format";
  /** The header is not strict JSON; the message names the byte. The file is damaged: fetch it again. */
  "header-json": "format";
  /** An entry of the header lacks a field, or has one of another type or an unknown dtype. Written by another program or a newer version of the format. */
  "header-schema": "format";
  /** A name stands twice where it may stand once. Keep one of the two. */
  "duplicate-key": "format" | "config";
  /** The data of tensors overlap or leave gaps. The file is damaged: fetch it again. */
  offsets: "format";
  /** A shape times its dtype is beyond what can be counted. The file is damaged, or made to harm. */
  overflow: "format";
  /** A tensor of 4- or 6-bit elements does not fill whole bytes. Its shape is wrong. */
  "sub-byte": "format";
  /** A tensor has more or fewer bytes or elements than its shape takes. The file is damaged, or was written wrongly. */
  "size-mismatch": "format";
  /** The file ends within a tensor's data. The download is incomplete: fetch it again. */
  "data-truncated": "format";
  /** Bytes follow the last tensor. The file is damaged: fetch it again. */
  "trailing-data": "format";
  /** A limit that protects from files made to harm: of length, number, depth or patterns. The message names it. */
  limit: "format" | "config";
  /** A Git LFS pointer stands in the place of the file. `git lfs pull` fetches the content. */
  "git-lfs-pointer": "format";
  /** A web page was saved in the place of the file. Download the file itself: its address has `/resolve/`, not `/blob/`. */
  html: "format";
  /** A pickle (`.bin`, `.pt`, `.ckpt`), whose loading runs the program inside it. Convert it to safetensors. */
  "unsupported-pickle": "format";
  /** GGUF where safetensors are expected. Programs open it with `@weft/io-gguf`; the command line takes the safetensors files that it was made from. */
  "unsupported-gguf": "format";
  /** Not a GGUF file: it does not begin with `GGUF`. Is it another format, or was the download cut? */
  magic: "format";
  /** A GGUF file of a version that is not read. Convert it with the program that wrote it. */
  version: "format";
  /** A GGUF file for big-endian machines. Convert it: `gguf_convert_endian.py FILE little`. */
  endianness: "format";
  /** A GGUF file ends before what it says it holds. The download is incomplete: fetch it again. */
  truncated: "format";
  /** An entry of GGUF metadata has no name. The file is damaged: fetch it again. */
  key: "format";
  /** A name is not UTF-8. The file is damaged: fetch it again. */
  utf8: "format";
  /** A value of GGUF metadata is of a type that the format does not have. The file is damaged, or newer than its version says. */
  type: "format";
  /** GGUF metadata holds an array of arrays, which no reader takes. */
  array: "format";
  /** `general.alignment` is not a power of two of type u32. The file was written wrongly. */
  alignment: "format";
  /** A tensor of a GGUF file has more than four axes, or a negative one. The file is damaged, or made to harm. */
  dims: "format";
  /** A tensor of a GGUF file is of a type that ggml does not have, or no longer has. Write the file again with a newer program. */
  "tensor-type": "format";
  /** A row of a quantised tensor is not whole blocks. Take a type of smaller blocks for it. */
  block: "format";
  /** The data of a tensor does not begin where that before it ends. The file is damaged: fetch it again. */
  offset: "format";
  /** The name of a tensor is longer than ggml's 63 bytes. Shorten it. */
  name: "format";
  /** A model of several GGUF files lacks one, or the files are of several models. Fetch all of them. */
  "missing-split": "format";
  /** A quantised weight lacks a tensor, has one of another dtype or shape than its format says, or is laid out in a way that is not read. The message names the tensor, and what was expected. */
  "quantized-weight": "format";
  /** An importance matrix of llama.cpp holds what no sums of inputs are, or lacks some; or it is of another model. Make it again with that model. */
  imatrix: "format";
  /** Neither a safetensors file, an index, nor a config of an adapter. Name one of these, or a folder that holds one. */
  "unknown-format": "format";

  /** The index of a checkpoint is not strict JSON. Fetch it again. */
  "index-json": "format";
  /** The index lacks its `weight_map`, or an entry of it is no name of a file. Fetch it again. */
  "index-schema": "format";
  /** The index and its shards disagree on which tensor lies where. They are of different versions: fetch all of them again. */
  "index-mismatch": "format";
  /** Several safetensors files, and no index that says what lies where. Fetch the index, or name one file. */
  "missing-index": "format";
  /** The folder is a pipeline of several models (`model_index.json`). Name the folder of one of them: unet, transformer, text_encoder … */
  pipeline: "format";
  /** A sharded FSDP checkpoint (`.distcp`). Gather it first: `accelerate merge-weights FOLDER OUT`. */
  "fsdp-checkpoint": "format";
  /** A DeepSpeed checkpoint. Gather it first: `python zero_to_fp32.py FOLDER OUT --safe_serialization`. */
  "deepspeed-checkpoint": "format";
  /** Tensors are empty, as DeepSpeed ZeRO-3 leaves them where the weights were not gathered. Gather them with the `zero_to_fp32.py` of the checkpoint's folder. */
  "zero3-leftovers": "format";
  /** A shard that the index names is not there. The download is incomplete: fetch it. */
  "missing-shard": "format";
  /** A tensor is asked for that the file does not have. `weft inspect` lists those it has. */
  "no-such-tensor": "format";
  /** Rows are asked for that leave a tensor's shape, or that are not whole bytes. */
  rows: "format";
  /** A tensor, or a file, is larger than can be read at once. Read it by rows. */
  "too-large": "capability";
}
