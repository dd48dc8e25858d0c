"""What the client scripts share: the store's address, an independent witness, and the suite every client goes through."""
