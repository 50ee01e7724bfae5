"""What attention costs: parameters and FLOPs of the light student, with and without CBAM after one convolution."""

from stillmotion.networks import named_network_cost

SHAPE = (30, 45, 17)  # Opportunity: one second at 30 Hz, 45 channels, 17 gestures
plain = named_network_cost("deepconvlstm-lm", SHAPE)
for attention in ("channel:r=2,after=1", "spatial:k=7,after=1", "channel:r=2,spatial:k=7,after=4"):
    with_it = named_network_cost("deepconvlstm-lm", SHAPE, attention=attention)
    more = [getattr(with_it, what) / getattr(plain, what) - 1 for what in ("params", "flops", "flops_convolutions")]
    params, flops, convolutions = (f"{100 * share:+.2f} %" for share in more)
    print(f"{attention:32} params {params}, FLOPs {flops}, FLOPs of convolutions {convolutions}")
