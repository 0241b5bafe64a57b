"""Retrieval made better and smaller, over any LangChain retriever."""
