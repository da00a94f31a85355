"""What Python tests share, wherever they run: the gRPC client, bounded waiting, the search for secrets, the counts."""
