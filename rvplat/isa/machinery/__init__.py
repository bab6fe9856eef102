"""What extensions are written with: encodings, CSR rows, the vocabulary, the disassembler."""
