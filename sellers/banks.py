"""Banks of Korea by the code that transfers name them with."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class Bank(models.TextChoices):
    KDB = "002", _("Korea Development Bank")
    IBK = "003", _("Industrial Bank of Korea")
    KB = "004", _("KB Kookmin Bank")
    SUHYUP = "007", _("Suhyup Bank")
    NH = "011", _("NH NongHyup Bank")
    LOCAL_NH = "012", _("Local NongHyup")
    WOORI = "020", _("Woori Bank")
    SC = "023", _("SC First Bank")
    CITI = "027", _("Citibank Korea")
    IM = "031", _("iM Bank")
    BUSAN = "032", _("BNK Busan Bank")
    GWANGJU = "034", _("Gwangju Bank")
    JEJU = "035", _("Jeju Bank")
    JEONBUK = "037", _("Jeonbuk Bank")
    GYEONGNAM = "039", _("BNK Gyeongnam Bank")
    MG = "045", _("MG Community Credit")
    SHINHYUP = "048", _("Credit Union")
    SAVINGS = "050", _("Savings banks")
    FORESTRY = "064", _("National Forestry Cooperative")
    POST = "071", _("Korea Post")
    HANA = "081", _("Hana Bank")
    SHINHAN = "088", _("Shinhan Bank")
    K = "089", _("K bank")
    KAKAO = "090", _("KakaoBank")
    TOSS = "092", _("Toss Bank")
