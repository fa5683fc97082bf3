"""Values: what is asked (probe, location), what was seen (batch, captured), who (node).

Everything here is immutable and knows nothing of sockets, threads or other packages. Import the
module you need: a sleeping process loads only ``model.node``.
"""
