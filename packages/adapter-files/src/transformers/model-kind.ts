/** What a model's config.json says about its kind. */
export interface ModelKind {
  /** Names of classes. */
  readonly architectures?: unknown;
  readonly model_type?: unknown;
  /** Of the language model in a model of several parts, which has the fields below then. */
  readonly text_config?: ModelKind | undefined;
  readonly num_attention_heads?: unknown;
  readonly num_key_value_heads?: unknown;
  readonly head_dim?: unknown;
  readonly hidden_size?: unknown;
}
