            if (jerk) {
                v = x[column[i] + $D] - v;
                v = v > 32767 ? 32767 : v < -32767 ? -32767 : v;
            }
