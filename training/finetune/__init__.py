"""Fine-tuning of a local model in Hugging Face's layout: llama, mistral and qwen2.

Its weights go into our own model (`training.model`), so that one trainer serves all; out come a
GGUF or an adapter for llama.cpp, and the same layout again.
"""
