            if (jerk) {
                v = (x[column[i] + $D] - v) * $RATE;
            }
