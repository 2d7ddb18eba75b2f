/** Errors of configs, adapters and the models that they are for. */
export interface AdapterErrorKinds {
  /** A value of a configuration is invalid. The message names the field, what it is and what is expected. */
  config: "config";
  /** A config is not strict JSON, or no object. Fetch it again; the message names the byte. */
  "config-json": "config" | "format";
  /** A field of a config is missing, or of another type or range. The message names it. */
  "config-schema": "config";
  /** The config and the tensors, or the model, say different things. The hint says which to mend. */
  "config-mismatch": "config";
  /** A field that the method does not have. Mend its name, remove it, or allow it with `allowUnknownFields`. */
  "unknown-field": "config";
  /** A pattern is no regular expression of Python's. The message names the position. */
  "config-regex": "config";
  /** A pattern could run for ever, or uses what the safe engine does not have. List the module names instead; of a tokenizer, take a file that can be trusted. */
  "unsafe-regex": "config" | "format";
  /** A pattern needs the engine for regular expressions, which a page loads only when asked. `await loadRegexEngine()` before. */
  "regex-not-loaded": "config";
  /** Two methods have one name. A method of one's own needs a name of its own, which is the `peft_type` of its files. */
  "duplicate-method": "config";
  /** A method, or a form of one, that is recognised and not computed. The hint names what can be done with it. */
  "unsupported-method": "capability" | "config";
  /** An architecture or a part of its config that is not supported. The message lists those that are. */
  "unsupported-model": "config" | "capability";
  /** A module is named to be adapted that is not a layer that adapters attach to, or that the model does not list. */
  "unsupported-target": "config" | "capability";
  /** The model keeps a weight as a part of another, and the method cannot act there. Take a model that holds it as the adapter does. */
  "unsupported-placement": "capability";
  /** A tensor's dtype is not computed with here. Cast it before. */
  "unsupported-dtype": "capability";
  /** Nothing has the names that the adapter, or the command, asks for. The message shows names that there are. */
  "no-match": "match" | "config";
  /** Names that match nothing. Is the adapter for another model? */
  match: "match";
  /** Some parts of the adapter have no place in the base. It was trained on another model, or one with other names. */
  "missing-modules": "match";
  /** Shapes of adapter and base differ. The adapter was trained on another model or size. */
  "shape-mismatch": "shape";
  /** Tensors of the adapter belong to nothing that its method has with this config. Is the config of another file? `allowUnknownFields` drops them. */
  "unused-tensors": "match";
  /** A tensor that is needed is not in the file. The adapter or checkpoint is incomplete, or of another architecture. */
  "missing-tensor": "format" | "config";
  /** The config that says what the tensors do not is not beside them. Put `adapter_config.json` into the same folder, or give alpha. */
  "missing-config": "format";
  /** The keys are of no program's scheme that is known. The message lists those that are. */
  "unknown-dialect": "format";
  /** The keys fit several programs' schemes. Say which one it is: `--from`. */
  "ambiguous-dialect": "format";
  /** A name with underscores could mean several modules. Only a file that keeps the dots can tell. */
  "ambiguous-name": "match";
  /** Which model names are of does not follow from them. Give the base model: `--base`. */
  "unknown-model": "match";
  /** Whole models' tensors where an adapter's are expected. An adapter's are in `adapter_model.safetensors`. */
  "not-an-adapter": "config" | "format";
  /** The file holds several adapters. Choose one: `adapterName`, `--adapter-name`. */
  "several-adapters": "format";
  /** There is no adapter of that name. The message lists those that there are. */
  "no-such-adapter": "format" | "config";
  /** The adapter has no module of that path. */
  "no-such-module": "config";
  /** A prompt needs the model's sizes. Give the model a `config` with hiddenSize, layers and heads. */
  "no-model-config": "config";
  /** What is asked for goes by the modules of a model: a config that names them, parameters that follow from their order. Use `PeftModel`. */
  "needs-model": "config" | "capability";
  /** A model was made of its config alone, and a value of its weights is asked for. Load it from its checkpoint. */
  "no-weights": "capability";
  /** Parameters follow from the base weight, whose values are not given. Give the host a `values` function. */
  "needs-base": "capability";
  /** Parameters that no file holds cannot be computed again with certainty. Convert the adapter to LoRA with the program that trained it. */
  undetermined: "capability";
  /** A config asks for dropout, and a pass was not told whether it trains. `forward(inputs, { dropoutKey })`: a key trains, null evaluates. */
  "dropout-undecided": "config";
  /** Adapters change one weight in ways that cannot both act. Merge one of them first. */
  "several-methods": "capability";
  /** The adapter's initialisation changed the base. Use one such adapter at a time; convert it to plain LoRA before merging. */
  "base-changed-by-init": "capability";
  /** A method cannot be worked into the weights. Keep the adapter unmerged. */
  "not-mergeable": "capability";
  /** A module's change is more than two factors. Attach the adapter with `PeftModel`, or merge it with `mergeWeight`. */
  "not-a-lora": "capability";
  /** Adapters cannot be made into one. Merge them into the weights one after the other. */
  "not-combinable": "capability";
  /** A method, or what its config asks for, has no form in other programs' files. The hint names a way where there is one. */
  "not-convertible": "capability";
  /** The dialect cannot hold all of the adapter. `--allow-loss` leaves that out, and lists it. */
  "lossy-conversion": "capability";
  /** Nothing of the adapter has a form in the dialect, or it has no modules. */
  "nothing-left": "match" | "capability";
  /** What is to be saved has no form in PEFT's folders. The hint names what has. */
  "not-peft": "capability";
  /** Alpha is given, and the adapter says its own. Leave it out; a factor behind the path changes the strength. */
  "alpha-known": "config";
  /** Whole tensors of two adapters, or tied ones, exclude each other. Take one of them. */
  conflict: "capability";
}
