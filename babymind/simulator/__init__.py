"""The phone simulator: Twilio's REST surface and webhooks on this machine, and a page to read and answer texts.

``state.Exchange`` is the provider, ``server.SimulatorServer`` answers for it, ``faults`` says what may go wrong.
"""
