"""The embedder: takes EmbedChunks, writes vectors, and completes documents; embeds search queries too."""
