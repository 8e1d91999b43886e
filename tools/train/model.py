"""A small Phi-architecture language model in PyTorch, written for training on a CPU.

Shapes: B sequences, T tokens, D d_model, H query heads, Hk key/value heads, d head_dim, F d_ff, V vocabulary.
Weights have the layout of the exported file: fused qkv rows are all query heads, then all key heads, then all
value heads; fused gate_up rows are the gate, then the up projection. Matrices multiply in bfloat16 where the CPU
has the instructions; norms, residual stream and loss stay in float32.
"""

import math
from dataclasses import asdict, dataclass

import torch
from torch import nn


@dataclass(frozen=True)
class Config:
    """Hyper-parameters; the names follow the keys of the exported file."""

    vocab_size: int = 8192
    d_model: int = 256
    d_ff: int = 768
    num_layers: int = 12
    num_heads: int = 4
    num_kv_heads: int = 2
    head_dim: int = 64
    num_rotary: int = 48  # three quarters of head_dim are rotated, the rest passes through
    rope_base: float = 10000.0
    norm_eps: float = 1e-5
    original_context: int = 512
    context_length: int = 1024

    def attention_factor(self):
        """LongRoPE's scale of cos and sin, used with the short and the long factors alike."""
        return math.sqrt(1 + math.log(self.context_length / self.original_context) / math.log(self.original_context))

    def short_factors(self):
        return [1.0] * (self.num_rotary // 2)

    def long_factors(self):
        """A straight ramp from 1 for the fastest channel to context_length / original_context for the slowest."""
        n = self.num_rotary // 2
        reach = self.context_length / self.original_context
        return [1.0 + (reach - 1.0) * i / (n - 1) for i in range(n)]

    def to_dict(self):
        return asdict(self)


def rotary_table(config, num_tokens, device=None):
    """cos and sin, each [T, num_rotary / 2]; sequences longer than original_context use the long factors."""
    n = config.num_rotary // 2
    long = num_tokens > config.original_context
    factors = torch.tensor(config.long_factors() if long else config.short_factors(), dtype=torch.float64)
    inverse = config.rope_base ** (-torch.arange(n, dtype=torch.float64) / n) / factors
    angle = torch.arange(num_tokens, dtype=torch.float64)[:, None] * inverse
    scale = config.attention_factor()
    return (angle.cos() * scale).float().to(device), (angle.sin() * scale).float().to(device)


def rotate(x, cos, sin):
    """Rotates the first channels of each head as two halves. x: [B, T, heads, d]; cos, sin: [T, num_rotary / 2]."""
    n = cos.shape[-1]
    cos, sin = cos[:, None, :], sin[:, None, :]
    first, second = x[..., :n], x[..., n : 2 * n]
    return torch.cat((first * cos - second * sin, second * cos + first * sin, x[..., 2 * n :]), dim=-1)


class RmsNormFunction(torch.autograd.Function):
    """y = x / rms(x) * gain with a hand-written backward pass: fewer passes over memory than autograd needs."""

    @staticmethod
    def forward(ctx, x, gain, eps):
        inverse = torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + eps)
        normed = x * inverse
        ctx.save_for_backward(normed, gain, inverse)
        return normed * gain

    @staticmethod
    def backward(ctx, grad):
        normed, gain, inverse = ctx.saved_tensors
        grad = grad.float()
        product = grad * normed
        grad_gain = product.sum(dim=tuple(range(product.dim() - 1)))
        mean = (product @ gain[:, None]) / gain.numel()
        return (grad * gain - normed * mean) * inverse, grad_gain, None


class RmsNorm(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(config.d_model))
        self.eps = config.norm_eps

    def forward(self, x):
        return RmsNormFunction.apply(x, self.weight, self.eps)


def project(x, weight, dtype):
    """x · weightᵀ in the given type. x: [..., in]; weight: [out, in] f32."""
    return nn.functional.linear(x.to(dtype), weight.to(dtype))


class Block(nn.Module):
    """One layer: x += attention(norm(x)); x += down(silu(gate) * up), gate and up of norm(x)."""

    def __init__(self, config):
        super().__init__()
        c = config
        self.config = c
        self.attn_norm = RmsNorm(c)
        self.ffn_norm = RmsNorm(c)
        self.qkv = nn.Parameter(torch.empty((c.num_heads + 2 * c.num_kv_heads) * c.head_dim, c.d_model))
        self.attn_out = nn.Parameter(torch.empty(c.d_model, c.num_heads * c.head_dim))
        self.gate_up = nn.Parameter(torch.empty(2 * c.d_ff, c.d_model))
        self.down = nn.Parameter(torch.empty(c.d_model, c.d_ff))

    def attention(self, x, cos, sin, mask, dtype):
        c = self.config
        B, T, _ = x.shape
        H, Hk, d = c.num_heads, c.num_kv_heads, c.head_dim
        qkv = project(x, self.qkv, dtype).view(B, T, H + 2 * Hk, d)
        rotated = rotate(qkv[:, :, : H + Hk], cos, sin)
        # Query heads of one group are stacked along the token axis, so that keys need no copies.
        q = (rotated[:, :, :H] * d**-0.5).to(dtype).view(B, T, Hk, H // Hk, d).permute(0, 2, 3, 1, 4)
        q = q.reshape(B * Hk, (H // Hk) * T, d)
        k = rotated[:, :, H:].to(dtype).permute(0, 2, 3, 1).reshape(B * Hk, d, T)
        v = qkv[:, :, H + Hk :].permute(0, 2, 1, 3).reshape(B * Hk, T, d)
        scores = torch.bmm(q, k).view(B * Hk, H // Hk, T, T) + mask
        weights = scores.softmax(-1).view(B * Hk, (H // Hk) * T, T)
        y = torch.bmm(weights, v).view(B, Hk, H // Hk, T, d).permute(0, 3, 1, 2, 4).reshape(B, T, H * d)
        return project(y, self.attn_out, dtype)

    def forward(self, x, cos, sin, mask, dtype):
        x = x + self.attention(self.attn_norm(x), cos, sin, mask, dtype)
        gate, up = project(self.ffn_norm(x), self.gate_up, dtype).split(self.config.d_ff, dim=-1)
        return x + project(nn.functional.silu(gate) * up, self.down, dtype)


class HeadLoss(torch.autograd.Function):
    """Mean cross-entropy of the tied head, with its gradients (if wanted) made in the forward pass, chunk by chunk.

    hidden: [N, D] f32; weight: [V, D] f32; targets: [N], -1 = no target. Never holds [N, V] at once.
    """

    CHUNK = 1024

    @staticmethod
    def forward(ctx, hidden, weight, targets, dtype, with_gradients):
        low_weight = weight.to(dtype)
        count = (targets >= 0).sum().clamp(min=1)
        loss = torch.zeros((), device=hidden.device)
        grad_hidden = torch.empty_like(hidden)
        grad_weight = torch.zeros_like(weight)
        for start in range(0, hidden.shape[0], HeadLoss.CHUNK):
            h = hidden[start : start + HeadLoss.CHUNK].to(dtype)
            t = targets[start : start + HeadLoss.CHUNK]
            log_probs = torch.log_softmax((h @ low_weight.t()).float(), dim=-1)
            valid = (t >= 0).float()
            index = t.clamp(min=0)[:, None]
            loss -= (log_probs.gather(1, index)[:, 0] * valid).sum()
            if not with_gradients:
                continue
            slope = log_probs.exp_()
            slope.scatter_add_(1, index, -torch.ones_like(index, dtype=slope.dtype))
            slope = slope.mul_((valid / count)[:, None]).to(dtype)
            grad_hidden[start : start + HeadLoss.CHUNK] = (slope @ low_weight).float()
            grad_weight += (slope.t() @ h).float()
        ctx.save_for_backward(grad_hidden, grad_weight)
        return loss / count

    @staticmethod
    def backward(ctx, grad):
        grad_hidden, grad_weight = ctx.saved_tensors
        return grad_hidden * grad, grad_weight * grad, None, None, None


class Model(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config = config
        self.embedding = nn.Parameter(torch.empty(config.vocab_size, config.d_model))
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.num_layers))
        self.output_norm = RmsNorm(config)
        self.initialise()

    def initialise(self):
        """Embedding rows large enough to stay visible in the residual stream; the final gain makes up for it in the head.

        With rows of the usual 0.02 the layers' outputs drown them, and names are never copied from the context.
        """
        nn.init.normal_(self.embedding, std=0.4)
        nn.init.constant_(self.output_norm.weight, 0.15)
        for block in self.blocks:
            for weight, scale in ((block.qkv, 1.0), (block.attn_out, 0.1), (block.gate_up, 1.0), (block.down, 0.1)):
                nn.init.normal_(weight, std=scale * weight.shape[1] ** -0.5)
            self.start_as_copy(block)

    @torch.no_grad()
    def start_as_copy(self, block, strength=0.15):
        """Each head's output matrix starts as the transpose of its value matrix, whose rows are orthonormal.

        So what a head attends to raises the logit of that very token (the embedding is tied), and only where to look is left to learn. Names of
        the story are copied from the context after a third of the tokens a random start needs. After "Mimetic Initialization of Self-Attention
        Layers" (Trockman and Kolter 2023), which starts the product near the identity for the same reason.
        """
        c = self.config
        for group in range(c.num_kv_heads):
            value = torch.linalg.qr(torch.randn(c.d_model, c.head_dim))[0].t()
            first = (c.num_heads + c.num_kv_heads + group) * c.head_dim
            block.qkv[first : first + c.head_dim] = value
            per_group = c.num_heads // c.num_kv_heads
            for head in range(group * per_group, (group + 1) * per_group):
                block.attn_out[:, head * c.head_dim : (head + 1) * c.head_dim] = strength * value.t()

    def hidden(self, ids, dtype=torch.float32):
        """Final normalised states [B, T, D] of token ids [B, T]."""
        T = ids.shape[1]
        cos, sin = rotary_table(self.config, T, ids.device)
        mask = torch.full((T, T), float("-inf"), device=ids.device).triu(1).to(dtype)
        x = nn.functional.embedding(ids, self.embedding)
        for block in self.blocks:
            x = block(x, cos, sin, mask, dtype)
        return self.output_norm(x)

    def logits(self, ids, dtype=torch.float32):
        return project(self.hidden(ids, dtype), self.embedding, dtype).float()

    def loss(self, ids, targets, dtype=torch.float32):
        """Mean cross-entropy in nats. ids, targets: [B, T]; a target of -1 does not count."""
        hidden = self.hidden(ids, dtype)
        flat = hidden.reshape(-1, self.config.d_model)
        return HeadLoss.apply(flat, self.embedding, targets.reshape(-1), dtype, torch.is_grad_enabled())
