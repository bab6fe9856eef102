"""Code that all extensions share: encodings, CSR rows, the vocabulary, the disassembler."""
