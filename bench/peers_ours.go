package main

func ourPeers() []peer { return nil }
