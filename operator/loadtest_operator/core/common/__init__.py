"""What every room may use: times, names, kinds of objects, settings, the agenda. It knows none of them."""
