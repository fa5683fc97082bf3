"""The versioned encoding on a link: frames of bytes, each one message.

``frame`` cuts a byte stream into messages, ``codec`` turns a message into bytes and back,
``message`` says which messages there are and turns them into values of ``model``.
"""
