"""Campaigns, stations and sessions: what is to be shot, where, and how far it is."""
