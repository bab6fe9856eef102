"""Steps of AES, SHA-2, SM3 and SM4. Scalar and vector instructions share them.

Nothing here uses tables or branches on data, so that it takes the same time for all data (Zkt,
Zvkt).
"""
