"""Muon: momentum whose step is orthogonalised, for hidden matrices (Jordan et al. 2024, "Muon").

Each matrix's momentum M = U S Vᵀ is replaced by about U Vᵀ, through five Newton-Schulz steps with the published
quintic coefficients. Matrices of the same shape are handled as one batch.
"""

import torch

COEFFICIENTS = (3.4445, -4.7750, 2.0315)


def orthogonalise(batch, steps=5, dtype=torch.float32):
    """Newton-Schulz on a batch. batch: [n, rows, columns]; returns the same shape in dtype."""
    a, b, c = COEFFICIENTS
    x = batch.to(dtype)
    tall = x.shape[1] > x.shape[2]
    if tall:
        x = x.transpose(1, 2)
    x = x / (x.float().flatten(1).norm(dim=1)[:, None, None] + 1e-7).to(dtype)
    x = x.contiguous()
    for _ in range(steps):
        gram = torch.bmm(x, x.transpose(1, 2))
        x = a * x + torch.bmm(b * gram + c * torch.bmm(gram, gram), x)
    return x.transpose(1, 2) if tall else x


class Muon:
    """Optimises pieces of one shape, each a row range (parameter, first row, last row) of a fused matrix.

    The momentum is one tensor in shared memory, so that several processes can each update their share of the pieces.
    """

    def __init__(self, pieces, momentum=0.95, dtype=torch.float32):
        self.pieces = pieces
        self.momentum = momentum
        self.dtype = dtype
        parameter, first, last = pieces[0]
        self.state = torch.zeros(len(pieces), last - first, parameter.shape[1]).share_memory_()

    @torch.no_grad()
    def step(self, rate, gradient, rank=0, ranks=1):
        """gradient(parameter) gives a parameter's gradient; every ranks-th piece is updated, from rank on."""
        pieces, state = self.pieces[rank::ranks], self.state[rank::ranks]
        grads = torch.stack([gradient(p)[first:last] for p, first, last in pieces])
        state.lerp_(grads, 1 - self.momentum)
        update = orthogonalise(grads.lerp_(state, self.momentum), dtype=self.dtype)
        rows, columns = update.shape[1:]
        scale = rate * max(1.0, rows / columns) ** 0.5
        for (p, first, last), u in zip(pieces, update):
            p[first:last].add_(u.float(), alpha=-scale)


class Adam:
    """Adam without weight decay, for the embedding and the norm gains; its moments are in shared memory too."""

    def __init__(self, parameters, betas=(0.9, 0.95)):
        self.parameters, self.betas = parameters, betas
        self.first = [torch.zeros_like(p).share_memory_() for p in parameters]
        self.second = [torch.zeros_like(p).share_memory_() for p in parameters]

    @torch.no_grad()
    def step(self, rate, gradient, count, rank=0, ranks=1):
        """count: steps taken so far, this one included."""
        a, b = self.betas
        for p, m, v in list(zip(self.parameters, self.first, self.second))[rank::ranks]:
            g = gradient(p)
            m.lerp_(g, 1 - a)
            v.mul_(b).addcmul_(g, g, value=1 - b)
            root = (v / (1 - b**count)).sqrt_().add_(1e-10)
            p.addcdiv_(m, root, value=-rate / (1 - a**count))


def make_groups(model, dtype):
    """One Muon a shape: fused matrices are taken apart into query, key, value, gate and up."""
    c = model.config
    q, kv = c.num_heads * c.head_dim, c.num_kv_heads * c.head_dim
    cuts = {"qkv": [0, q, q + kv, q + 2 * kv], "attn_out": [0, c.d_model], "gate_up": [0, c.d_ff, 2 * c.d_ff], "down": [0, c.d_model]}
    by_shape = {}
    for block in model.blocks:
        for name, edges in cuts.items():
            parameter = getattr(block, name)
            for first, last in zip(edges, edges[1:]):
                by_shape.setdefault((last - first, parameter.shape[1]), []).append((parameter, first, last))
    return [Muon(pieces, dtype=dtype) for pieces in by_shape.values()]
