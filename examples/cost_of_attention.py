"""Count what attention costs: parameters and FLOPs of the light student, with and without CBAM."""

from stillmotion.networks import named_network_cost

SHAPE = (30, 45, 17)  # Opportunity: one second at 30 Hz, 45 channels, 17 gestures
COUNTS = ("params", "flops", "flops_convolutions")
plain = named_network_cost("deepconvlstm-lm", SHAPE)
for attention in ("channel:r=2,after=1", "spatial:k=7,after=1", "channel:r=2,spatial:k=7,after=4"):
    attended = named_network_cost("deepconvlstm-lm", SHAPE, attention=attention)
    increases = [getattr(attended, count) / getattr(plain, count) - 1 for count in COUNTS]
    params, flops, convolutions = (f"{100 * increase:+.2f} %" for increase in increases)
    print(f"{attention:32} params {params}, FLOPs {flops}, FLOPs of convolutions {convolutions}")
